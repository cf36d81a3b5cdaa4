"""The figures of the inference benchmark as a picture."""

from benchmarks import inference_contenders as contenders
from benchmarks import inference_ratios as ratios
from benchmarks import measure
from benchmarks import pictures

# Panels of latencies beside each other.
_COLUMNS = 2

# A mark for each setting: Okabe and Ito's colours again.
_MARKS = (
    ("o", "#0072B2"),
    ("s", "#E69F00"),
    ("^", "#009E73"),
    ("D", "#CC79A7"),
)


def draw(figures, path):
    """Latencies of the two networks that have all formats, and all ratios.

    Args:
        figures: dict of `inference_benchmark.run`.
        path: of the PNG.
    """
    import matplotlib.figure  # no pyplot: no display, no global state

    panels = [_panels(figures, name) for name in figures["successor"]]
    rows = ratios.of_peers(figures)
    heights = [0.3 * _longest(of_one) + 0.8 for of_one in panels]
    heights.append(0.24 * len(rows) + 1.2)
    figure = matplotlib.figure.Figure(
        figsize=(12, sum(heights)), layout="constrained"
    )
    grid = figure.add_gridspec(len(heights), _COLUMNS, height_ratios=heights)
    for place, of_one in enumerate(panels):
        for column, (title, spreads) in enumerate(of_one):
            axes = figure.add_subplot(grid[place, column])
            pictures.bars(axes, spreads)
            axes.margins(x=0.2)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("ms a call, median and spread")
    _draw_ratios(figure.add_subplot(grid[-1, :]), figures, rows)
    comment = pictures.mark(figures)
    figure.savefig(path, dpi=110, metadata={"Comment": comment})


def _panels(figures, network):
    """[(title, {contender: spread of milliseconds})] of the first settings."""
    found = ratios.latencies(figures)
    panels = []
    for setting in ratios.settings(figures, network)[:_COLUMNS]:
        spreads = {}
        for contender in contenders.CONTENDERS:
            key = network, contender.library, contender.format
            if setting in found.get(key, {}):
                spreads[str(contender)] = measure.spread(found[key][setting])
        panels.append((f"{network}, {setting}", spreads))
    return panels


def _longest(panels):
    return max((len(spreads) for _, spreads in panels), default=0)


def _draw_ratios(axes, figures, rows):
    """A line for each ratio to the peers, a mark for each setting."""
    settings = ratios.settings(figures)
    for number, setting in enumerate(settings):
        mark, color = _MARKS[number % len(_MARKS)]
        chosen = [
            (place, row.cells[setting])
            for place, row in enumerate(rows)
            if setting in row.cells
        ]
        shift = 0.16 * (number - (len(settings) - 1) / 2)
        axes.errorbar(
            [cell["median"] for _, cell in chosen],
            [place + shift for place, _ in chosen],
            xerr=[
                [cell["median"] - cell["min"] for _, cell in chosen],
                [cell["max"] - cell["median"] for _, cell in chosen],
            ],
            fmt=mark,
            color=color,
            markersize=4,
            linewidth=0.8,
            label=setting,
        )
    for place, row in enumerate(rows):
        if row.target is not None:
            ends = [place - 0.4, place + 0.4]
            axes.plot([row.target] * 2, ends, color=pictures.BOUND)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=8)
    axes.set_xlim(*_limits(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_title("ours over its peers; black is the target", fontsize=10)
    axes.set_xlabel("how many times as fast ours is")
    axes.legend(fontsize=8)


def _limits(rows):
    """Of all medians and targets; one wild round would hide the rest."""
    shown = [cell["median"] for row in rows for cell in row.cells.values()]
    shown += [row.target for row in rows if row.target is not None]
    return min(shown) - 0.1, max(shown) + 0.1


def _label(row):
    network, ours, peer = row.words
    return f"{network}: {ours} over {peer}"
