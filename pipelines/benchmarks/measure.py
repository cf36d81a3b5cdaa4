"""Medians, spreads and ratios of what contenders took in turns.

A spread is {"median", "min", "max"} over the rounds. CPU time is that of all
threads of one process: it hardly changes when the machine is busy. Speeds are
told as ratios of medians of contenders that took turns, never as a time alone.
"""

import contextlib
import importlib.metadata
import os
import pathlib
import platform
import statistics


def rates(seconds, steps, images):
    """What one contender did in one round: dict of floats.

    Args:
        seconds: {"cpu_seconds", "wall_seconds"} of the round.
        steps: int, of the round.
        images: int, of one step.
    """
    cpu, wall = seconds["cpu_seconds"], seconds["wall_seconds"]
    return {
        "images_per_second": steps * images / wall,
        "cpu_ms": 1e3 * cpu / (steps * images),  # of an image
        "step_seconds": wall / steps,
        "step_cpu_seconds": cpu / steps,
    }


def column(rows, key):
    """What rows have under a key: list."""
    return [row[key] for row in rows]


def summarise(rounds, names, over):
    """Spreads of contenders, and one of them over each.

    Args:
        rounds: {contender: list of `rates`}.
        names: keys of `rates`.
        over: {key: (name, contender)}: that contender's over each one's.

    Returns:
        {contender: {name or key: spread}}.
    """
    return {
        contender: {name: spread(column(of_one, name)) for name in names}
        | {
            key: ratio(column(rounds[reference], name), column(of_one, name))
            for key, (name, reference) in over.items()
        }
        for contender, of_one in rounds.items()
    }


def spread(values):
    """{"median", "min", "max"} of some numbers."""
    median = statistics.median(values)
    return {"median": median, "min": min(values), "max": max(values)}


def ratio(above, below):
    """The ratio of two medians, and its least and greatest within a round.

    Args:
        above, below: numbers of the same rounds, one a round.

    Returns:
        a spread, its "median" the ratio of the medians.
    """
    of_medians = statistics.median(above) / statistics.median(below)
    pairs = [a / b for a, b in zip(above, below, strict=True)]
    return {**spread(pairs), "median": of_medians}


def machine(*packages):
    """What figures are taken on, with the versions of installed packages."""
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "packages": versions(packages),
    }


def versions(packages):
    """{package: version} of those that are installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def cpu():
    """The name of the processor."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
