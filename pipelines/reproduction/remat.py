"""Memory and time of very deep networks with units computed again, or not."""

import dataclasses

import numpy as np
from benchmarks import tables
from reproduction import remat_step


def run(job):
    """Trains the row's network a few iterations each way, and compares.

    Args:
        job: `jobs.Job` of `cost_rows.REMAT`.

    Returns:
        dict: "plain" and "remat", the figures of `remat_step.Steps`; the rest
        from `compare`.
    """
    plain, remat = (
        remat_step.isolated(
            dataclasses.replace(job.recipe, remat=remat), job.workdir
        )
        for remat in (False, True)
    )
    return compare(plain, remat)


def compare(plain, remat):
    """What two runs from the same weights and images have in common.

    Args:
        plain, remat: `remat_step.Steps`.

    Returns:
        dict of JSON values: "plain", "remat"; "gradient_difference",
        "statistics_difference", from `greatest_difference`; and
        "repetition_difference", of plain's last gradients from its first.

    Raises:
        ValueError: if weights or images were not the same.
    """
    drawn = [steps.figures["drawn"] for steps in (plain, remat)]
    if drawn[0] != drawn[1]:
        raise ValueError(f"Weights or images differ: {drawn}.")
    return {
        "plain": plain.figures,
        "remat": remat.figures,
        "gradient_difference": greatest_difference(
            plain.gradients, remat.gradients
        ),
        "statistics_difference": greatest_difference(
            plain.statistics, remat.statistics
        ),
        "repetition_difference": greatest_difference(
            plain.gradients, plain.again
        ),
    }


def greatest_difference(ours, theirs):
    """The greatest relative difference over all variables.

    Of one it is the greatest absolute difference of its elements over the
    greatest absolute value of `ours`.

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
    """Memory, time and agreement, two lines a row.

    Args:
        experiment: `jobs.Experiment`.
        records: of one scale and data set.

    Returns:
        str: Markdown.
    """
    lines = []
    for name in experiment.rows:
        mine = [r for r in records if r["row"] == name]
        if not mine:
            lines.append([name, *["not run"], *[""] * 7])
        for record in mine:
            lines += _lines(name, record)
    return tables.table(_TITLES, lines)


_TITLES = (
    "network | units | images | MB, built | MB, at most | s, first iteration | "
    "s, last | loss | gradients differ by"
)


def _lines(name, record):
    result = record["result"]
    differences = {
        "plain": f"{result['repetition_difference']:.1e} when repeated",
        "remat": f"{result['gradient_difference']:.1e} from kept",
    }
    for way, units in {"plain": "kept", "remat": "computed again"}.items():
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
            differences[way],
        ]


def summary(records):
    """Memory both ways, in words."""
    [record] = records
    ways = [record["result"][way] for way in ("plain", "remat")]
    most = [f"{figures['most_megabytes']:,.0f}" for figures in ways]
    return "{} MB, with remat {} MB".format(*most)
