"""Medians, spreads and ratios of what contenders took in turns.

A spread is {"median", "min", "max"} over the rounds. CPU time is that of all
threads of one process: it hardly changes when the machine is busy. Speeds are
given as ratios of medians of contenders that took turns, never as a time alone.
"""

import contextlib
import importlib.metadata
import os
import pathlib
import statistics
import subprocess

from keras_resnet.training import processor


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
    """Spreads of contenders, and ratios of one of them to each.

    Args:
        rounds: {contender: list of `rates`}.
        names: keys of `rates`.
        over: {key: (name, contender)}: that contender's value over each one's.

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


# Flags of a processor that change which code is fast.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
FLAGS += ("amx_int8", "asimddp", "i8mm", "bf16", "sve")


def machine(*packages):
    """The machine that figures are taken on, with versions of packages."""
    return {
        "cpu": processor.name(),
        "cores": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in processor.flags()],
        "packages": versions(packages),
        "commit": commit(),
    }


def packages(machine):
    """{name: version} of a machine; older records name only two."""
    before = ("tensorflow", "pillow")
    return machine.get("packages") or {
        name: machine[name] for name in before if name in machine
    }


def versions(packages):
    """{package: version} of those that are installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def commit():
    """The last commit of the code, with "+" if files differ; "" without Git."""
    code = ["--", "keras_resnet", "pipelines"]
    last = _git("log", "-1", "--format=%h", *code)
    return f"{last}+" if last and _git("status", "--porcelain", *code) else last


def _git(*words):
    root = pathlib.Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["git", "-C", root, *words], capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip()
