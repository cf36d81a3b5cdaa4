"""Figures as bars."""

import hashlib
import json

MARK = "figures "

# Okabe and Ito's colours, which the colour-blind tell apart.
OURS, PEER, BOUND = "#0072B2", "#E69F00", "#000000"


def mark(figures):
    """Stands in the picture's file for the figures that it shows."""
    text = json.dumps(figures, sort_keys=True)
    return MARK + hashlib.sha256(text.encode()).hexdigest()


def bars(axes, spreads):
    """A bar for each contender, as long as its median.

    Args:
        axes: of Matplotlib.
        spreads: {name: spread}; names that begin with "ours" are ours.
    """
    for place, (name, spread_of_one) in enumerate(spreads.items()):
        median, low, high = (
            spread_of_one[key] for key in ("median", "min", "max")
        )
        axes.barh(
            place,
            median,
            color=OURS if name.startswith("ours") else PEER,
            xerr=[[median - low], [high - median]],
            error_kw={"linewidth": 1, "capsize": 2, "ecolor": "0.3"},
        )
        axes.annotate(
            f"{median:.3g}",
            (high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(spreads)), spreads)
    axes.set_ylim(len(spreads), -0.6)
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def line(axes, place, text):
    """An upright line across all bars, its text where there is room."""
    axes.axvline(place, color=BOUND, linestyle="--", linewidth=1.2)
    bottom = axes.get_ylim()[0]
    low, high = axes.get_xlim()
    left = place > (low + high) / 2
    axes.annotate(
        text,
        (place, bottom - 0.3),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=8,
    )
