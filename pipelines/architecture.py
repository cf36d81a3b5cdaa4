"""Draws a network from its tables: stem, stages and one unit, as SVG.

python pipelines/architecture.py --variant=resnet50 --output=docs/resnet50.svg
"""

import pathlib

import _app
from absl import flags

from keras_resnet import errors
from keras_resnet.networks import specs

FLAGS = flags.FLAGS
flags.DEFINE_string("variant", "resnet50", "Key of keras_resnet.VARIANTS.")
flags.DEFINE_string("output", None, "The file, NAME.svg.")

_BOX, _GAP, _LINE, _STEP = 118, 22, 17, 66  # pixels
_STYLE = """\
text { font: 12px system-ui, sans-serif; text-anchor: middle; fill: #222; }
.title { font-weight: bold; }
rect, circle { fill: #eef1fb; stroke: #44507a; }
path { fill: none; stroke: #44507a; }
@media (prefers-color-scheme: dark) {
  text { fill: #eee; }
  rect, circle { fill: #262b3d; stroke: #aab4dd; }
  path { stroke: #aab4dd; }
}"""
_NAMES = {"bn": "BN", "relu": "ReLU", "pool": "max pool 3x3, /2"}


def parts(variant):
    """What is drawn of a network: [(title, lines, size of its map)].

    Args:
        variant: `specs.Variant`.
    """
    stem = specs.STEMS[variant.stem]
    block = specs.BLOCKS[variant.block]
    size, lines = stem.image_size, []
    convolutions = iter(stem.convolutions)
    for op in stem.ops:
        if op == "conv":
            filters, kernel, strides = next(convolutions)
            lines.append(_convolution(kernel, filters, strides))
            size = -(-size // strides)
        elif "pool" in op:
            lines.append(_NAMES["pool"])
            size = -(-size // 2)
    found = [("stem", lines, f"{size}x{size}")]
    rows = zip(variant.depths, variant.filters, variant.strides, strict=True)
    for number, (depth, filters, strides) in enumerate(rows, 1):
        lines = [
            _convolution(kernel, filters * width)
            for kernel, width in zip(block.kernels, block.widths, strict=True)
        ]
        for stride in strides:
            size = -(-size // stride)
        shape = f"{size}x{size}x{filters * block.expansion}"
        title = f"stage{number}: {depth} units"
        found.append((title, lines, shape))
    return [*found, ("head", ["mean", "classifier"], f"{stem.classes}")]


def unit(variant):
    """Words for a unit: its branch, and what follows the addition."""
    placement = specs.PLACEMENTS[variant.placement]
    block = specs.BLOCKS[variant.block]
    branch = list(placement.before)
    for number, kernel in enumerate(block.kernels):
        branch += placement.between if number else ()
        branch.append(f"{kernel}x{kernel}")
    named = [_NAMES.get(op, op) for op in (*branch, *placement.after)]
    return named, [_NAMES.get(op, op) for op in placement.after_add]


def _convolution(kernel, filters, strides=1):
    return f"{kernel}x{kernel}, {filters}" + (", /2" if strides == 2 else "")


def svg(name):
    """The picture of a variant, as text."""
    variant = errors.lookup(specs.VARIANTS, name, "variant")
    columns, shapes = parts(variant), []
    height = 2 * _LINE + _LINE * max(len(lines) for _, lines, _ in columns)
    for column, (title, lines, shape) in enumerate(columns):
        x, middle = _place(column)
        shapes.append(_rectangle(x, 40, _BOX, height))
        shapes.append(_text(middle, 58, title, "title"))
        shapes += [
            _text(middle, 78 + _LINE * row, line)
            for row, line in enumerate(lines)
        ]
        shapes.append(_text(middle, 40 + height + _LINE, shape))
        if column:
            shapes.append(f'<path d="M{x - _GAP} {40 + height / 2}h{_GAP}"/>')
    shapes += _unit(variant, 40 + height + 90)
    branch, after = unit(variant)
    width = max(_place(len(columns))[0], _STEP * (len(branch) + len(after) + 3))
    shapes.append(_text(width / 2, 24, f"{name}, {variant.depth} layers"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {width} {40 + height + 150}">'
        f"<style>{_STYLE}</style>\n" + "\n".join(shapes) + "\n</svg>\n"
    )


def _unit(variant, y):
    """One unit in a row, its shortcut above it where it has one."""
    branch, after = unit(variant)
    words = ["x", *branch, "+", *after, "x'"]
    if specs.SHORTCUTS[variant.shortcut].same == "none":
        words.remove("+")
        shapes = []
    else:
        way = _STEP * words.index("+")
        shapes = [
            _text((way + _STEP) / 2, y - 36, f"shortcut {variant.shortcut}"),
            f'<path d="M{_STEP // 2} {y - 12}v-18h{way}v18"/>',
        ]
    for column, word in enumerate(words):
        x = _STEP // 2 + column * _STEP
        if column:
            shapes.append(f'<path d="M{x - _STEP + 26} {y}h{_STEP - 52}"/>')
        if word == "+":
            shapes.append(f'<circle cx="{x}" cy="{y}" r="12"/>')
        elif not word.startswith("x"):
            shapes.append(_rectangle(x - 26, y - 14, 52, 28))
        shapes.append(_text(x, y + 4, word))
    return shapes


def _place(column):
    """The left edge of a column, and its middle."""
    x = 10 + column * (_BOX + _GAP)
    return x, x + _BOX / 2


def _rectangle(x, y, width, height):
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'


def _text(x, y, words, kind=""):
    kind = kind and f' class="{kind}"'
    return f'<text x="{x}" y="{y}"{kind}>{words}</text>'


def main(args):
    _app.no_arguments(args)
    errors.require(
        FLAGS.output, "Say --output=NAME.svg, the file. Received none."
    )
    path = pathlib.Path(FLAGS.output)
    path.write_text(svg(FLAGS.variant), encoding="utf-8")
    print(f"{path}: {FLAGS.variant}")


if __name__ == "__main__":
    _app.run(main)
