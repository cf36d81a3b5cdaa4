"""A grid of rates: errors at each, and at each row's best.

The best rate has the least mean error on held-out training images. No reported
figure is measured on these.
"""

import itertools
import statistics

from benchmarks import tables
from reproduction import results
from reproduction import spreads


def by_rate(records):
    """{rate: records}, the least rate first."""

    def rate(record):
        return record["recipe"]["learning_rate"]

    groups = itertools.groupby(sorted(records, key=rate), rate)
    return {of_one: list(found) for of_one, found in groups}


def best(records):
    """The rate of the least mean held-out error of one row's records.

    A diverged run counts as an error of 1. Of equal means the least rate wins.
    """
    means = {
        rate: statistics.mean(
            record["result"].get("held_out_error", 1.0) for record in found
        )
        for rate, found in by_rate(records).items()
    }
    return min(means, key=means.get)


def at_best(experiment, records):
    """The records of each row at its best rate, if there is a grid.

    A row that did not run at all rates is left out: its best may be missing.

    Args:
        experiment: `jobs.Experiment`, or None if all records are of one row.
        records: of one scale and data set.
    """
    if not any("held_out_error" in r["result"] for r in records):
        return records
    rows = results.by_row(experiment, records) if experiment else {"": records}
    asked = by_rate(records).keys()
    return [
        record
        for of_row in rows.values()
        if by_rate(of_row).keys() == asked
        for record in by_rate(of_row)[best(of_row)]
    ]


def table(experiment, records):
    """Test errors at every rate, and each row at its best rate."""
    rows = results.by_row(experiment, records)
    asked = sorted({record["recipe"]["learning_rate"] for record in records})
    every = [
        _at_every(experiment, name, of_row, asked)
        for name, of_row in rows.items()
    ]
    chosen = [
        _at_its_best(experiment, name, of_row, rows, asked)
        for name, of_row in rows.items()
    ]
    titles = " | ".join(f"test error at {rate}, %" for rate in asked)
    return "\n\n".join(
        (
            tables.table(f"row | {titles} | seeds at each", every),
            "At the rate with the least error on held-out training images:",
            tables.table(_BEST.format(experiment.unit), chosen),
        )
    )


_BEST = (
    "row | paper: {} | rate | training error, % | test error, % | sampling "
    "error, points | verdict | seeds"
)


def _at_every(experiment, name, records, asked):
    found = by_rate(records)
    cells = [
        spreads.errors(found.get(rate, []), "test_error", experiment.fails)
        for rate in asked
    ]
    seeds = ", ".join(str(len(found.get(rate, []))) for rate in asked)
    return [name, *cells, seeds]


def _at_its_best(experiment, name, records, rows, asked):
    mine, other = at_best(None, records), _compared_with(experiment, name)
    verdict = ""
    if other in rows and other != name:
        theirs = at_best(None, rows[other])
        verdict = f"{spreads.compared(mine, theirs)} {other}"
    if len(by_rate(records)) < len(asked):
        verdict = "not all rates run"  # the best may be another
    return [
        name,
        experiment.rows[name].paper,
        str(best(records)),
        spreads.errors(mine, "train_error"),
        spreads.errors(mine, "test_error", experiment.fails),
        spreads.sampling_error(mine),
        verdict,
        str(len(mine)),
    ]


def _compared_with(experiment, name):
    """The experiment's reference, or the first row of the same panel."""
    panel = experiment.rows[name].panel
    rows = experiment.rows.items()
    return experiment.reference or next(n for n, r in rows if r.panel == panel)
