"""Figures as bars."""

import dataclasses
import hashlib
import json

from keras_resnet.labels import drawing

OURS, _, _, _, PEER, _, BOUND = drawing.COLORS


@dataclasses.dataclass(frozen=True)
class Panel:
    """Bars below each other.

    Attributes:
        title: words above them.
        unit: words below them.
        bars: {name: spread}; names that begin with "ours" are ours.
        bound: (name, number) of a line across all bars, or None.
        ratios: whether every bar is a ratio of ours to a peer's; bars then
            begin at the bound.
    """

    title: str
    unit: str
    bars: dict
    bound: tuple | None = None
    ratios: bool = False


def panel(title, unit, bars, bound=None):
    """A `Panel`; `bound` names the bar that is drawn as a line instead."""
    bars = dict(bars)
    line = (bound, bars.pop(bound)["median"]) if bound in bars else None
    return Panel(title, unit, bars, line)


def mark(figures):
    """A digest, kept in the picture's file, of the figures that it shows."""
    text = json.dumps(figures, sort_keys=True)
    return "figures " + hashlib.sha256(text.encode()).hexdigest()


def draw(figures, panels, path):
    """Writes a PNG, its panels below each other.

    Args:
        figures: the record that the panels show.
        panels: list of `Panel`.
        path: of the PNG.
    """
    heights = [0.34 * len(panel.bars) + 1.2 for panel in panels] or [1]
    metadata = {"Comment": mark(figures)}
    with drawing.figure(path, sum(heights), metadata=metadata) as figure:
        grid = figure.add_gridspec(len(heights), height_ratios=heights)
        for place, panel in zip(grid, panels, strict=False):
            _draw(figure.add_subplot(place), panel)


def _draw(axes, panel):
    for place, (name, spread) in enumerate(panel.bars.items()):
        is_ours = panel.ratios or name.startswith("ours")
        start = panel.bound[1] if panel.ratios else 0
        _bar(axes, place, spread, OURS if is_ours else PEER, start)
    axes.set_yticks(range(len(panel.bars)), panel.bars)
    axes.set_ylim(len(panel.bars), -0.6)
    axes.margins(x=0.15)
    axes.grid(visible=False, axis="y")
    axes.set(title=panel.title, xlabel=panel.unit)
    if panel.bound:
        _bound(axes, *panel.bound, place=len(panel.bars) - 0.3)


def _bar(axes, place, spread, color, start):
    median, low, high = (spread[key] for key in ("median", "min", "max"))
    line = {"linewidth": 1, "capsize": 2, "ecolor": "0.3"}
    error = [[median - low], [high - median]]
    width = median - start
    axes.barh(place, width, left=start, color=color, xerr=error, error_kw=line)
    axes.annotate(
        f"{median:.3g}",
        (high, place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
    )


def _bound(axes, name, value, place):
    axes.axvline(value, color=BOUND, linestyle="--", linewidth=1.2)
    # On the side that has more room.
    side = "left" if value < sum(axes.get_xlim()) / 2 else "right"
    words = f" {name}, {value:.3g} "
    axes.annotate(words, (value, place), ha=side, va="center")
