"""Times contenders that do the same work, in turns.

CPU time is the process time of all threads of one process, and of no other
process: it hardly changes when the machine is busy. Speeds are told as ratios
of medians of runs that took turns, never as a time alone.
"""

import dataclasses
import statistics
import time


@dataclasses.dataclass(frozen=True)
class Run:
    """One contender in one round."""

    images: int
    cpu_seconds: float
    wall_seconds: float


def alternate(
    contenders, *, rounds, clocks=(time.process_time, time.perf_counter)
):
    """Runs every contender once a round, the order rotated each round.

    A round before the first warms up and is not counted.

    Args:
        contenders: {name: function () -> int, the images that it made}.
        rounds: int >= 1, those that count.
        clocks: two functions () -> seconds: of the CPU and of the wall.

    Returns:
        {name: list of `rounds` of `Run`}.

    Raises:
        RuntimeError: if the contenders did not make the same number of images.
    """
    names, runs = list(contenders), {name: [] for name in contenders}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            runs[name].append(_run(contenders[name], clocks))
    if len({run.images for of_one in runs.values() for run in of_one}) != 1:
        made = {name: [r.images for r in of] for name, of in runs.items()}
        raise RuntimeError(f"The contenders did not do the same: {made}.")
    return {name: of_one[1:] for name, of_one in runs.items()}


def _run(contender, clocks):
    before = [clock() for clock in clocks]
    images = contender()
    cpu, wall = (
        clock() - start for clock, start in zip(clocks, before, strict=True)
    )
    return Run(images, cpu, wall)


def summarise(runs, reference):
    """Medians and spreads of all contenders, and one of them over each.

    Args:
        runs: {name: list of `Run`}, of `alternate`.
        reference: name of the contender that is compared with all.

    Returns:
        {name: {"cpu_ms": spread of one image's CPU time in milliseconds,
        "images_per_second": spread, "reference_over_this": spread}}. A spread
        is {"median", "min", "max"} over the rounds. The last one is of the
        reference's CPU time over this one's: as "median" the ratio of the two
        medians, the others of the ratios within a round.
    """
    cpu = {
        name: [1e3 * run.cpu_seconds / run.images for run in of_one]
        for name, of_one in runs.items()
    }
    return {
        name: {
            "cpu_ms": spread(cpu[name]),
            "images_per_second": spread(
                [run.images / run.wall_seconds for run in of_one]
            ),
            "reference_over_this": ratio(cpu[reference], cpu[name]),
        }
        for name, of_one in runs.items()
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
