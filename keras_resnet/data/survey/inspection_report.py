"""A survey as lines of text and as a picture of the sizes."""

import collections

import numpy as np

from keras_resnet import files
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import scanning
from keras_resnet.errors import printable
from keras_resnet.labels import drawing
from keras_resnet.labels import fonts


def lines(found, *, exif, listed=20):
    """What `inspection.survey` found, for the terminal.

    Args:
        found: `inspection.Survey`.
        exif: of the recipe, key of `labels.view.EXIF`.
        listed: how many unreadable files are named.

    Returns:
        List of str.
    """
    split = found.split
    rows = [("examples a class", _classes(found))]
    if found.num_readable:
        rows += _sizes(found)
        rows += [("formats", _counts(found.formats))]
        rows += [("modes", _counts(found.modes))]
    for note, (number, index) in sorted(found.notes.items()):
        text = f"{number:,}: {inspection.NOTES[note].format(exif=exif)}"
        rows.append((note, f"{text} ({_name(split, index)})"))
    rows.append(("unreadable", f"{len(found.unreadable):,}"))
    text = [
        f"{printable(split.name)}: {split.num_examples:,} examples, "
        f"{len(split.class_names):,} classes"
    ]
    text += [f"{name + ':':<18}{value}" for name, value in rows]
    for index, reason in found.unreadable[:listed]:
        text.append(f"  {_name(split, index)}: {reason}")
    if len(found.unreadable) > listed:
        text.append(f"  and {len(found.unreadable) - listed:,} more")
    return text


def _name(split, index):
    return printable(scanning.file_name(split, index))


def _counts(counter):
    return ", ".join(f"{key} {n:,}" for key, n in counter.most_common())


def _classes(found):
    counts = found.class_counts
    names = [printable(name) for name in found.split.class_names]
    least, greatest = counts.argmin(), counts.argmax()
    text = (
        f"least {counts[least]:,} ({names[least]}), median "
        f"{np.median(counts):,g}, greatest {counts[greatest]:,} "
        f"({names[greatest]})"
    )
    empty = [names[i] for i in np.flatnonzero(counts == 0)]
    if empty:
        more = f" and {len(empty) - 5:,} more" if len(empty) > 5 else ""
        text += f"; {len(empty):,} empty: {', '.join(empty[:5])}{more}"
    return text


def _sizes(found):
    """(name, text) of each measure of the readable images."""
    widths, heights = np.asarray(found.widths), np.asarray(found.heights)
    common = collections.Counter(zip(found.widths, found.heights, strict=True))
    text = ", ".join(
        f"{width} x {height} ({k / len(widths):.0%})"
        for (width, height), k in common.most_common(3)
    )
    if len(common) > 3:
        text += f" and {len(common) - 3:,} other sizes"
    shorter = np.minimum(widths, heights)
    size = np.asarray(found.file_bytes)
    return [
        ("width x height", text),
        (
            "shorter side",
            "{:g} to {:g}; 5 % below {:g}, median {:g}, 5 % above {:g}".format(
                *np.quantile(shorter, (0, 1, 0.05, 0.5, 0.95))
            ),
        ),
        ("width / height", _range(widths / heights)),
        ("megapixels", _range(widths * heights / 1e6)),
        (
            "bytes",
            f"{_bytes(size.min())} to {_bytes(size.max())}, median "
            f"{_bytes(np.median(size))}; {_bytes(size.sum())} in all",
        ),
    ]


def _range(values):
    return (
        f"{values.min():.3g} to {values.max():.3g}, median "
        f"{np.median(values):.3g}"
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
    with files.replacing(path) as beside, drawing.figure(beside, 4) as figure:
        _draw_sizes(figure, found, marks)


def _draw_sizes(figure, found, marks):
    widths, heights = np.asarray(found.widths), np.asarray(found.heights)
    shorter = np.minimum(widths, heights)
    plane, sides = figure.subplots(1, 2)
    name = fonts.drawable(printable(found.split.name))
    figure.suptitle(
        f"{name}: sizes of {found.num_readable:,} images",
        family=fonts.families(name),
        parse_math=False,  # names may have dollar signs; they are no formulas
    )
    edges = _edges(np.concatenate([widths, heights]))
    *_, mesh = plane.hist2d(
        widths, heights, [edges, edges], cmin=1, cmap="viridis_r"
    )
    figure.colorbar(mesh, ax=plane, label="images")
    plane.set(xlabel="width, pixels", ylabel="height, pixels")
    sides.hist(shorter, _edges([*shorter, *marks.values()]))
    for (mark, pixels), style in zip(marks.items(), ("--", ":"), strict=True):
        label = f"{mark}: {pixels}"
        sides.axvline(
            pixels, color=drawing.COLORS[1], linestyle=style, label=label
        )
    sides.set(xlabel="shorter side, pixels", ylabel="images")
    sides.legend(loc="lower left", bbox_to_anchor=(0, 1))
    for axes in (plane, sides):
        axes.set_xscale("log", base=2)
    plane.set_yscale("log", base=2)
    for axis in (plane.xaxis, plane.yaxis, sides.xaxis):
        axis.set_major_formatter("{x:g}")


def _edges(values):
    """Edges of 40 bins of equal ratio; all values well inside."""
    return np.geomspace(np.min(values) / 2, np.max(values) * 2, 41)
