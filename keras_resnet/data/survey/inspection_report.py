"""A survey as lines for a person and as a picture of the sizes."""

import collections

import numpy as np

from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import scanning

QUANTILES = (0.05, 0.5, 0.95)


def lines(found, *, listed=20):
    """What `inspection.survey` found, for the terminal.

    Args:
        found: `inspection.Survey`.
        listed: how many unreadable files are named.

    Returns:
        List of str.
    """
    split = found.split
    text = [
        f"{scanning.printable(split.name)}: {split.num_examples:,} examples, "
        f"{len(split.class_names):,} classes",
        _row("examples a class", _classes(found)),
    ]
    if found.num_readable:
        text += [_row(name, value) for name, value in _sizes(found)]
        for name, counter in (
            ("formats", found.formats),
            ("modes", found.modes),
        ):
            rows = (f"{key} {n:,}" for key, n in counter.most_common())
            text.append(_row(name, ", ".join(rows)))
    for note, (number, index) in sorted(found.notes.items()):
        example = scanning.printable(scanning.file_name(split, index))
        text.append(
            _row(note, f"{number:,}: {inspection.NOTES[note]} ({example})")
        )
    text.append(_row("unreadable", f"{len(found.unreadable):,}"))
    for index, reason in found.unreadable[:listed]:
        name = scanning.printable(scanning.file_name(split, index))
        text.append(f"  {name}: {reason}")
    if len(found.unreadable) > listed:
        text.append(f"  and {len(found.unreadable) - listed:,} more")
    return text


def _row(name, value):
    return f"{name + ':':<18}{value}"


def _classes(found):
    counts, names = found.class_counts, found.split.class_names

    def named(index):
        return f"{counts[index]:,} ({scanning.printable(names[index])})"

    text = (
        f"least {named(counts.argmin())}, median {np.median(counts):,g}, "
        f"greatest {named(counts.argmax())}"
    )
    empty = [scanning.printable(names[i]) for i in np.flatnonzero(counts == 0)]
    if empty:
        more = f" and {len(empty) - 5:,} more" if len(empty) > 5 else ""
        text += f"; {len(empty):,} empty: {', '.join(empty[:5])}{more}"
    return text


def _sizes(found):
    widths, heights = np.asarray(found.widths), np.asarray(found.heights)
    n = len(widths)
    common = collections.Counter(zip(found.widths, found.heights, strict=True))
    text = ", ".join(
        f"{width} x {height} ({k / n:.0%})"
        for (width, height), k in common.most_common(3)
    )
    if len(common) > 3:
        text += f" and {len(common) - 3:,} other sizes"
    yield "width x height", text
    low, middle, high = np.quantile(np.minimum(widths, heights), QUANTILES)
    shorter = np.minimum(widths, heights)
    yield (
        "shorter side",
        f"{shorter.min()} to {shorter.max()}; 5 % below {low:g}, median "
        f"{middle:g}, 5 % above {high:g}",
    )
    aspect = widths / heights
    yield (
        "width / height",
        f"{aspect.min():.3g} to {aspect.max():.3g}, median "
        f"{np.median(aspect):.3g}",
    )
    millions = widths.astype(np.int64) * heights / 1e6
    yield (
        "megapixels",
        f"{millions.min():.3g} to {millions.max():.3g}, mean "
        f"{millions.mean():.3g}",
    )
    size = np.asarray(found.file_bytes)
    yield (
        "bytes",
        f"{_bytes(size.min())} to {_bytes(size.max())}, median "
        f"{_bytes(np.median(size))}; {_bytes(size.sum())} in all",
    )


def _bytes(number):
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:.3g} {unit}"
        number /= 1000


def draw_sizes(found, path, *, marks):
    """Writes a PNG: width against height, and the shorter sides.

    Args:
        found: `inspection.Survey` with at least one readable example.
        path: of the PNG.
        marks: {name: pixels}, lines among the shorter sides.
    """
    from matplotlib.figure import Figure

    widths, heights = np.asarray(found.widths), np.asarray(found.heights)
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    plane, sides = figure.subplots(1, 2)
    name = scanning.printable(found.split.name)
    figure.suptitle(
        f"{name}: sizes of {found.num_readable:,} images",
        parse_math=False,
        fontsize=12,
    )
    _draw_plane(figure, plane, widths, heights)
    _draw_shorter_sides(sides, np.minimum(widths, heights), marks)
    for axis in (plane.xaxis, plane.yaxis, sides.xaxis):
        _scale(axis)
    for axes in (plane, sides):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    figure.savefig(path, dpi=120)


def _draw_plane(figure, axes, widths, heights):
    from matplotlib.colors import LogNorm

    edges = _edges(np.concatenate([widths, heights]), 49)
    counts, _, _ = np.histogram2d(widths, heights, [edges, edges])
    shades = LogNorm(vmin=1, vmax=max(10, counts.max()))
    counts[counts == 0] = np.nan  # white
    mesh = axes.pcolormesh(
        edges, edges, counts.T, norm=shades, cmap="viridis_r"
    )
    bar = figure.colorbar(mesh, ax=axes, label="images", fraction=0.04)
    _scale(bar.ax.yaxis, subs=(1,))
    axes.plot(edges[[0, -1]], edges[[0, -1]], color="0.85", zorder=0)
    axes.set(xlabel="width, pixels", ylabel="height, pixels", aspect="equal")


def _draw_shorter_sides(axes, shorter, marks):
    bins = _edges(np.append(shorter, list(marks.values())), 41)
    axes.hist(shorter, bins, color="C0", alpha=0.85)
    styles = (("0.2", "--", 1.2), ("C1", ":", 2.2))
    for (mark, pixels), (color, line, width) in zip(
        marks.items(), styles, strict=True
    ):
        axes.axvline(
            pixels,
            color=color,
            linestyle=line,
            linewidth=width,
            label=f"{mark}: {pixels}",
        )
    axes.set(xlabel="shorter side, pixels", ylabel="images")
    axes.set_xlim(bins[0], bins[-1])
    axes.legend(
        frameon=False,
        fontsize=9,
        ncols=2,
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )


def _edges(values, number):
    """Edges of bins of equal ratio; all values well inside."""
    low, high = min(values) / 2, max(values) * 2
    return np.geomspace(low, high, number + 1)


def _scale(axis, subs=(1, 2, 5)):
    from matplotlib.ticker import FuncFormatter
    from matplotlib.ticker import LogLocator
    from matplotlib.ticker import NullLocator

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=subs, numticks=30))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    axis.set_minor_locator(NullLocator())
