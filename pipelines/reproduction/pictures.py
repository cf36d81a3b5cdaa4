"""Pictures of errors over iterations, as P1 Fig. 6."""

import itertools
import statistics

from reproduction import rates
from reproduction import results

from keras_resnet.labels import drawing

# Bands of more rows than this hide each other.
BANDS = 4


def picture(experiment, records, path):
    """Errors over iterations: training thin, test bold.

    Lines are medians over the seeds. A band spans the least to the greatest
    test error. If there are many rows, a bar at the end does so instead. In a
    grid of rates each row is at its best rate.
    """
    records = rates.at_best(experiment, records)
    # An ensemble has no curve, nor has a run that diverged at once.
    records = [r for r in records if r["result"].get("curve", {}).get("step")]
    rows = results.by_row(experiment, records)
    panels = _panels(experiment, rows)
    count = max(len(panels), 1)
    with drawing.figure(path, 3.4 * count) as figure:
        all_axes = figure.subplots(count, sharey=True, squeeze=False)[:, 0]
        for axes, (title, names) in zip(all_axes, panels.items(), strict=False):
            _draw_panel(axes, experiment, {name: rows[name] for name in names})
            axes.set(
                title=title or experiment.title,
                xlabel="iterations",
                ylabel="error (%), test bold, training thin",
            )
        all_axes[0].set_ylim(bottom=0)


def _panels(experiment, rows):
    """{title: names}; the row that others are compared with is in each."""
    panels = {}
    for name in rows:
        panels.setdefault(experiment.rows[name].panel, []).append(name)
    reference = experiment.reference
    if reference not in rows:
        return panels
    compared = {t: names for t, names in panels.items() if names != [reference]}
    return {
        title: [reference, *(name for name in names if name != reference)]
        for title, names in (compared or panels).items()
    }


def _draw_panel(axes, experiment, rows):
    colors = itertools.cycle(_palette(experiment, rows))
    for place, ((name, records), color) in enumerate(zip(rows.items(), colors)):
        line = _draw(axes, name, records, color)
        _draw_spread(axes, line, place if len(rows) > BANDS else None)
    axes.margins(x=0.01)
    axes.set_xlim(left=0)
    drawing.legend_beside(axes)


def _palette(experiment, rows):
    """Black is for the reference, if the panel has one."""
    if experiment.reference not in rows:
        return drawing.COLORS
    return ["#000000", *drawing.COLORS[:-1], "#999999"]


def _draw(axes, name, records, color):
    """Draws both curves of a row; (steps, sorted test errors, color)."""
    curves = [record["result"]["curve"] for record in records]
    steps = min((curve["step"] for curve in curves), key=len)
    errors = {
        which: [
            sorted(100 * curve[which][i] for curve in curves)
            for i in range(len(steps))
        ]
        for which in ("train_error", "test_error")
    }
    for which, style in (
        ("train_error", {"linewidth": 0.9}),
        ("test_error", {"linewidth": 2.2, "label": name}),
    ):
        middle = [statistics.median(values) for values in errors[which]]
        axes.plot(steps, middle, color=color, **style)
    return steps, errors["test_error"], color


def _draw_spread(axes, line, place):
    """A band; if `place` is an int, a bar beyond the end, that far out."""
    steps, errors, color = line
    low, high = ([values[i] for values in errors] for i in (0, -1))
    if place is None:
        axes.fill_between(
            steps, low, high, color=color, alpha=0.15, linewidth=0
        )
    else:
        x = steps[-1] * (1.02 + 0.02 * place)
        axes.plot([x, x], [low[-1], high[-1]], color=color, linewidth=2)
