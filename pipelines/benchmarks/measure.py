"""Medians, spreads and ratios of what contenders took in turns.

A spread is {"median", "min", "max"} over the rounds. CPU time is that of all
threads of one process: it hardly changes when the machine is busy. Speeds are
told as ratios of medians of contenders that took turns, never as a time alone.
"""

import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import statistics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """What one contender did in one round."""

    images: int
    steps: int
    cpu_seconds: float
    wall_seconds: float

    @property
    def images_per_second(self):
        return self.images / self.wall_seconds

    @property
    def cpu_ms(self):
        """CPU milliseconds of an image."""
        return 1e3 * self.cpu_seconds / self.images

    @property
    def step_seconds(self):
        return self.wall_seconds / self.steps

    @property
    def step_cpu_seconds(self):
        return self.cpu_seconds / self.steps


def of(rounds, name):
    """What a property of `Round` is in each round: list of numbers."""
    return [getattr(one, name) for one in rounds]


def summarise(rounds, names, over):
    """Spreads of contenders, and one of them over each.

    Args:
        rounds: {contender: list of `Round`}.
        names: properties of `Round`.
        over: {key: (property, contender)}: that contender's over each one's.

    Returns:
        {contender: {property or key: spread}}.
    """
    return {
        contender: {name: spread(of(of_one, name)) for name in names}
        | {
            key: ratio(of(rounds[reference], name), of(of_one, name))
            for key, (name, reference) in over.items()
        }
        for contender, of_one in rounds.items()
    }


def spread(values):
    """{"median", "min", "max"} of some numbers."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


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
        "cpu": _cpu(),
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


def _cpu():
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
