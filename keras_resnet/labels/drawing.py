"""One style for all plots: words, colours, and a figure to draw on.

A plot is a white card with dark words, so that it is the same on a light page
and on a dark one. It is as wide as the text of the documentation, so its words
are as large there as small print.
"""

import contextlib

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
WIDTH = 7  # inches
STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.titlesize": 11,
    "font.size": 9.5,
    "grid.alpha": 0.3,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "savefig.dpi": 144,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
}


@contextlib.contextmanager
def figure(path, height, **saved):
    """A figure in this style, written as a PNG when all is drawn.

    Args:
        path: of the PNG.
        height: inches.
        **saved: arguments of `savefig`.

    Yields:
        `matplotlib.figure.Figure`.
    """
    import matplotlib.figure  # no pyplot: no display

    cycle = matplotlib.cycler(color=COLORS)
    with matplotlib.rc_context({**STYLE, "axes.prop_cycle": cycle}):
        made = matplotlib.figure.Figure(figsize=(WIDTH, height))
        yield made
        made.savefig(path, **saved)


def legend_below(figure, axes, columns=3):
    """One legend for all panels, of the names in one of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def legend_beside(axes):
    """A legend to the right of a panel, where it hides nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1.02))
