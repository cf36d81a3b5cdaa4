"""Figures as bars."""

import dataclasses
import hashlib
import json

# Okabe and Ito's colours, which the colour-blind tell apart.
OURS, PEER, BOUND = "#0072B2", "#E69F00", "#000000"


@dataclasses.dataclass(frozen=True)
class Panel:
    """Bars below each other.

    Attributes:
        title: words above them.
        unit: words below them.
        bars: {name: spread}; names that begin with "ours" are ours.
        bound: (name, number) of a line across all bars, or None.
        ratios: whether every bar is of ours over a peer's.
    """

    title: str
    unit: str
    bars: dict
    bound: tuple | None = None
    ratios: bool = False


def panel(title, unit, bars, bound=None):
    """A `Panel`; `bound` names the bar that is a line in place of a bar."""
    bars = dict(bars)
    line = (bound, bars.pop(bound)["median"]) if bound in bars else None
    return Panel(title, unit, bars, line)


def mark(figures):
    """Stands in the picture's file for the figures that it shows."""
    text = json.dumps(figures, sort_keys=True)
    return "figures " + hashlib.sha256(text.encode()).hexdigest()


def draw(figures, panels, path):
    """Writes a PNG, its panels in two columns if there are many.

    Args:
        figures: the record that the panels show.
        panels: list of `Panel`.
        path: of the PNG.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    columns = 1 if len(panels) < 3 else 2
    rows = [panels[n : n + columns] for n in range(0, len(panels), columns)]
    heights = [0.3 * max(len(p.bars) for p in row) + 0.9 for row in rows]
    figure = matplotlib.figure.Figure(
        figsize=(1 + 7 * columns, sum(heights)), layout="constrained"
    )
    grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    for number, panel in enumerate(panels):
        _draw(figure.add_subplot(grid[divmod(number, columns)]), panel)
    figure.savefig(path, dpi=110, metadata={"Comment": mark(figures)})


def _draw(axes, panel):
    for place, (name, spread) in enumerate(panel.bars.items()):
        is_ours = panel.ratios or name.startswith("ours")
        _bar(axes, place, spread, OURS if is_ours else PEER)
    axes.set_yticks(range(len(panel.bars)), panel.bars, fontsize=8)
    axes.set_ylim(len(panel.bars), -0.6)
    axes.margins(x=0.15)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.unit, fontsize=8)
    if panel.bound:
        _bound(axes, *panel.bound, place=len(panel.bars) - 0.3)


def _bar(axes, place, spread, color):
    median, low, high = (spread[key] for key in ("median", "min", "max"))
    line = {"linewidth": 1, "capsize": 2, "ecolor": "0.3"}
    error = [[median - low], [high - median]]
    axes.barh(place, median, color=color, xerr=error, error_kw=line)
    axes.annotate(
        f"{median:.3g}",
        (high, place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _bound(axes, name, value, place):
    axes.axvline(value, color=BOUND, linestyle="--", linewidth=1.2)
    # On the side that has more room.
    side = "left" if value < sum(axes.get_xlim()) / 2 else "right"
    words = f" {name}, {value:.3g} "
    axes.annotate(words, (value, place), ha=side, va="center", fontsize=8)
