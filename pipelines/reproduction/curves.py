"""Experiments whose result is a trained network's errors, and their curves."""

import math
import statistics

from benchmarks import tables
from reproduction import rates
from reproduction import results
from reproduction import spreads
from reproduction import training
from reproduction.pictures import picture as picture

# "How fast" counts iterations until the training error is below this.
LEARNT = 0.05


def run(job):
    """Trains, and returns `training.summary`.

    If a part is held out, "held_out_error" is its error at the end, 0 to 1.
    """
    if not job.held_out:
        return training.train(job)
    train, held = training.divided(job)
    result = training.train(job, train)
    return {**result, "held_out_error": training.error(job, held)}


def table(experiment, records):
    """The paper beside ours: a line for each row that has a record.

    Without any record it has the rows that have a figure in the paper. For a
    grid of rates it returns `rates.table`.
    """
    if any("held_out_error" in record["result"] for record in records):
        return rates.table(experiment, records)
    lines = []
    for name, row in experiment.rows.items():
        mine = [record for record in records if record["row"] == name]
        if not mine and (records or not row.paper):
            continue
        seconds = [record["seconds"] for record in results.finished(mine)]
        lines.append(
            [
                name,
                row.paper,
                spreads.errors(mine, "train_error"),
                spreads.errors(mine, "test_error", experiment.fails),
                spreads.sampling_error(mine),
                learnt(mine),
                str(len(mine) or ""),
                f"{statistics.median(seconds):,.0f}" if seconds else "",
            ]
        )
    titles = (
        f"row | paper: {experiment.unit} | training error, % | "
        "test error, % | sampling error, points | iterations to 5 % training "
        "error | seeds | s a seed"
    )
    return tables.table(titles, lines)


def how(records):
    """How the records came about, in words."""
    found = sorted({record["recipe"]["learning_rate"] for record in records})
    return f"{results.how(records)}, rate {' or '.join(map(str, found))}"


def learnt(records):
    """'median (least..greatest)' of the iterations until `LEARNT`.

    A run counts up to its first evaluation with a training error below it. The
    median is "never" where half of the runs do not get there.
    """
    found = sorted(map(_learnt, results.finished(records)))
    if not found:
        return ""
    words = ["never" if step == math.inf else f"{step:,}" for step in found]
    middle = words[len(words) // 2]
    return (
        middle if len({*words}) == 1 else f"{middle} ({words[0]}..{words[-1]})"
    )


def _learnt(record):
    curve = record["result"].get("curve", {"step": (), "train_error": ()})
    pairs = zip(curve["step"], curve["train_error"], strict=True)
    return next((step for step, error in pairs if error < LEARNT), math.inf)


def summary(records):
    """Training and test errors of one row, in words."""
    records = rates.at_best(None, records)
    errors = (
        spreads.errors(records, name) for name in ("train_error", "test_error")
    )
    return "training {} %, test {} %".format(*errors)
