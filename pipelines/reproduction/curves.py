"""Experiments whose result is a trained network's errors, and their curves."""

import itertools
import math
import statistics

from benchmarks import tables
from reproduction import results
from reproduction import training

# P2 Table 1: a network "fails" above this test error.
FAILS = 0.2


def run(job):
    """Trains; the errors and the curve of `training.summary`.

    Where a part is held out, "held_out_error", 0 to 1, is its error at the end.
    """
    if not job.held_out:
        return training.train(job)
    train, held = training.divided(job)
    result = training.train(job, train)
    return {**result, "held_out_error": training.error(job, held)}


def table(experiment, records):
    """The paper beside ours: a line for each row that has a record.

    Without any record it has those that have a figure in the paper.
    """
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
                _errors(mine, "train_error"),
                _errors(mine, "test_error"),
                str(len(mine) or ""),
                f"{statistics.median(seconds):,.0f}" if seconds else "",
            ]
        )
    titles = (
        f"row | paper: {experiment.unit} | training error, % | "
        "test error, % | seeds | s a seed"
    )
    return tables.table(titles, lines)


def summary(records):
    """Training and test errors of one row, in words."""
    errors = (_errors(records, name) for name in ("train_error", "test_error"))
    return "training {} %, test {} %".format(*errors)


def _errors(records, name):
    limit = FAILS if name == "test_error" else math.inf
    return percent(records, lambda result: result[name], limit)


def percent(records, error_of, limit=math.inf):
    """'median (least..greatest)' in percent, and what failed.

    Args:
        records: of one row.
        error_of: result -> error, 0 to 1.
        limit: a median above it is a failure.
    """
    if not records:
        return "not run"
    finished = results.finished(records)
    diverged = len(records) - len(finished)
    values = [error_of(record["result"]) for record in finished]
    if not values:
        return f"fail: {diverged} diverged"
    low, middle, high = (
        f"{100 * value:.2f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    words = f"{middle} ({low}..{high})" if len(values) > 1 else middle
    if statistics.median(values) > limit:
        words = f"fail: {words}"
    return f"{words}, {diverged} diverged" if diverged else words


def picture(experiment, records, path):
    """Errors over iterations, as P1 Fig. 6: training thin, test bold.

    Medians over the seeds, a band from the least to the greatest test error.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    # An ensemble has none, nor has what diverged at once.
    records = [r for r in records if r["result"].get("curve", {}).get("step")]
    rows = results.by_row(experiment, records)
    panels = {}
    for name in rows:
        panels.setdefault(experiment.rows[name].panel, []).append(name)
    figure = matplotlib.figure.Figure(
        figsize=(4.6 * max(len(panels), 1.6), 4.8), layout="constrained"
    )
    columns = max(len(panels), 1)
    all_axes = figure.subplots(1, columns, sharey=True, squeeze=False)[0]
    for axes, (title, names) in zip(all_axes, panels.items(), strict=False):
        colors = itertools.cycle(COLORS)
        for name in names:
            _draw(axes, name, rows[name], next(colors))
        axes.set(title=title, xlabel="iterations")
        axes.grid(alpha=0.3)
        axes.margins(x=0)
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=2,
            fontsize=8,
            frameon=False,
        )
    all_axes[0].set(
        ylabel="error (%), test bold, training thin", ylim=(0, _top(records))
    )
    figure.savefig(path, dpi=120)


# Okabe and Ito's colours, which the colour-blind tell apart.
COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)


def _draw(axes, name, records, color):
    curves = [record["result"]["curve"] for record in records]
    steps = min((curve["step"] for curve in curves), key=len)
    errors = {
        which: [
            sorted(100 * curve[which][i] for curve in curves)
            for i in range(len(steps))
        ]
        for which in ("train_error", "test_error")
    }
    middle = {
        which: [statistics.median(values) for values in of_one]
        for which, of_one in errors.items()
    }
    axes.plot(steps, middle["train_error"], color=color, linewidth=0.9)
    axes.plot(
        steps, middle["test_error"], color=color, linewidth=2.2, label=name
    )
    axes.fill_between(
        steps,
        [values[0] for values in errors["test_error"]],
        [values[-1] for values in errors["test_error"]],
        color=color,
        alpha=0.15,
        linewidth=0,
    )


def _top(records):
    """Per cent that the axis ends at: what the later half of curves needs."""
    late = [
        error
        for record in records
        for name in ("train_error", "test_error")
        for error in _later_half(record["result"]["curve"][name])
    ]
    return min(100.0, 115 * max(late, default=1.0))


def _later_half(values):
    return values[len(values) // 2 :]
