"""Memory and time of very deep networks with units computed again, or not."""

import dataclasses

import numpy as np
from benchmarks import tables
from reproduction import remat_step


def run(job):
    """Trains the row's network a few iterations each way; see `compare`."""
    ways = [dataclasses.replace(job.recipe, remat=r) for r in (False, True)]
    return compare(*(remat_step.isolated(way, job.workdir) for way in ways))


def compare(plain, remat):
    """Compares two runs from the same weights and images.

    Args:
        plain, remat: `remat_step.Steps`.

    Returns:
        dict of JSON values: "plain" and "remat", their figures;
        "gradient_difference", "statistics_difference", from
        `greatest_difference`; and "repetition_difference", between plain's
        first and last gradients.

    Raises:
        ValueError: if weights or images were not the same.
    """
    drawn = [steps.figures["drawn"] for steps in (plain, remat)]
    if drawn[0] != drawn[1]:
        raise ValueError(f"Weights or images differ: {drawn}.")
    pairs = {
        "gradient": (plain.gradients, remat.gradients),
        "statistics": (plain.statistics, remat.statistics),
        "repetition": (plain.gradients, plain.again),
    }
    return {
        "plain": plain.figures,
        "remat": remat.figures,
        **{
            f"{n}_difference": greatest_difference(*p) for n, p in pairs.items()
        },
    }


def greatest_difference(ours, theirs):
    """The greatest relative difference over all variables.

    For one variable it is the greatest absolute difference of its elements,
    divided by the greatest absolute value in `ours`.

    Args:
        ours, theirs: {path: float array}, of the same paths.

    Returns:
        float.
    """
    paths = {**ours, **theirs}
    return max(_difference(ours[path], theirs[path]) for path in paths)


def _difference(a, b):
    difference = float(np.abs(a - b).max())
    return difference and difference / float(np.abs(a).max() or 1)


def table(experiment, records):
    """Memory, time and agreement, two lines a row."""
    lines = []
    for name in experiment.rows:
        mine = [r for r in records if r["row"] == name]
        if not mine:
            lines.append([name, *["not run"], *[""] * 7])
        for record in mine:
            lines += _lines(name, record)
    titles = (
        "network | units | images | MB, built | MB, at most | s, first "
        "iteration | s, last | loss | gradients differ by"
    )
    return tables.table(titles, lines)


def _lines(name, record):
    result = record["result"]
    ways = {
        "plain": ("kept", "repetition_difference", "when repeated"),
        "remat": ("computed again", "gradient_difference", "from kept"),
    }
    for way, (units, key, words) in ways.items():
        figures = result[way]
        yield [
            name if way == "plain" else "",
            units,
            str(record["recipe"]["batch_size"]),
            f"{figures['built_megabytes']:,.0f}",
            f"{figures['most_megabytes']:,.0f}",
            f"{figures['seconds'][0]:.1f}",
            f"{figures['seconds'][-1]:.1f}",
            f"{figures['losses'][0]:.5f}",
            f"{result[key]:.1e} {words}",
        ]


def summary(records):
    """Memory both ways, in words."""
    [record] = records
    plain, remat = (
        f"{record['result'][way]['most_megabytes']:,.0f} MB"
        for way in ("plain", "remat")
    )
    return f"{plain}, with remat {remat}"
