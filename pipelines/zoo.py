"""Writes the table of all networks and published weights, and its picture.

python pipelines/zoo.py            # docs/MODELS.md and docs/models.png
python pipelines/zoo.py --check    # fails if they are not up to date
"""

import hashlib
import itertools
import pathlib
import re

import _app
from absl import flags
from reproduction import sizes as sizes_lib

from keras_resnet.errors import require
from keras_resnet.labels import drawing
from keras_resnet.networks import papers
from keras_resnet.networks import specs
from keras_resnet.weights import published

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
flags.DEFINE_string("docs_dir", str(DOCS), "Where the two files go.")
flags.DEFINE_bool("check", False, "Compare the files instead of writing them.")

TABLE, PICTURE = "MODELS.md", "models.png"

TEXT = """\
# Networks and published weights

Written by `python pipelines/zoo.py`; do not edit. P1 and P2 are the papers of
2015 and 2016.

## Weights

`keras_resnet.build(variant, weights=...)` takes these tags and
`keras_resnet.list_weights()` shows them. The numbers are their publishers', of
ImageNet's validation images, one crop; they have not been measured here. The
model normalises its pixels itself with the constants of the tag.

![Accuracy against multiply-adds](models.png)

{weights}

A licence is what the publisher states for the weights; whether the terms of
ImageNet allow a use is for the user to find out.

The files are verified before each use, against the digest that the hub tells
(sha256), the md5 that Keras publishes or the first 8 digits of the sha256 that
torch's file names carry. Any other repository of the hub with such a network is
taken as well, `weights="hf://OWNER/NAME"`; what a row has "in its files" and
the class names are read from there. Evaluation transforms:
{transforms}.

## Networks for ImageNet

Parameters are trainable ones and, as the multiply-adds of one image, counted
on the model that is built; `tests/support/goldens.py` has the sources they are
tested against. The last column is the top-1 error that the papers print, which
is not that of any weights.

{imagenet}

## Networks for CIFAR

Parameters with 10 classes; errors are of CIFAR-10, in P2 the median of 5 runs.

{cifar}
"""


def markdown(sizes):
    """The text of docs/MODELS.md.

    Args:
        sizes: {variant: `sizes.Size`}, of all variants or those to show.
    """
    stems = {name: specs.VARIANTS[name].stem for name in sizes}
    tables = {
        data: _table(
            "variant | depth | parameters | multiply-adds | input | "
            "published in | `weights=` | error of the paper, %",
            [
                network_cells(name, size)
                for name, size in sizes.items()
                if stems[name].startswith(data)
            ],
        )
        for data in ("imagenet", "cifar")
    }
    weights = _table(
        "variant | `weights=` | top-1, % | top-5, % | accuracy from | "
        "resize, crop | interpolation | licence | without PyTorch",
        map(_weights_cells, published.WEIGHTS),
    )
    return TEXT.format(weights=weights, transforms=_transforms(), **tables)


def _table(titles, rows):
    titles = titles.split(" | ")
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def network_cells(name, size):
    """What a table says about one network."""
    row = specs.VARIANTS[name]
    image_size = specs.STEMS[row.stem].image_size
    rows = [w for w in published.WEIGHTS if w.variant == name]
    tags = [f"`{w.tag}`" for w in rows if not w.is_repository]
    others = sum(w.is_repository for w in rows)
    tags += [f"{others} on the hub"] if others else []
    return [
        f"`{name}`",
        str(row.depth),
        f"{size.parameters:,}",
        f"{size.multiply_adds:,}",
        f"{image_size}x{image_size}",
        row.reference,
        ", ".join(tags) or "none",
        _error(name) or published.NOT_PUBLISHED,
    ]


def _error(variant):
    """The top-1 error that the papers print for a variant, and where."""
    error, place = papers.find(papers.CIFAR_10, variant)
    if error:
        error, note = ("> 20", "fail, ") if error == "fail" else (error, "")
        return f"{error} ({note}{place})"
    for tables, view in (
        (papers.TEN_CROPS, "10-crop"),
        (papers.ONE_CROP_OF_320, "one crop of 320"),
    ):
        errors, place = papers.find(tables, variant)
        if errors:
            return f"{errors[0]} ({view}, {place})"
    return None


def _weights_cells(row):
    return [
        f"`{row.variant}`",
        f"`{row.tag}`",
        published.percent(row.top1_accuracy),
        published.percent(row.top5_accuracy),
        row.accuracy_source or published.NOT_PUBLISHED,
        published.view(row),
        published.interpolation(row),
        row.licence or published.NOT_PUBLISHED,
        published.source(row).removeprefix("https://"),
    ]


def _transforms():
    sources = dict.fromkeys(
        w.evaluation_source for w in published.WEIGHTS if w.evaluation_source
    )
    return ",\n".join(sources)


def points(sizes):
    """{line: [(multiply-adds in 1e9, top-1 in percent, depth)]}."""
    series = {}
    for row in published.WEIGHTS:
        if row.is_repository:  # too many for a picture
            continue
        series.setdefault(_line(row), []).append(
            (
                sizes[row.variant].multiply_adds / 1e9,
                round(100 * row.top1_accuracy, 6),
                specs.VARIANTS[row.variant].depth,
            )
        )
    return series


def _line(row):
    """The name of a row's line in the picture: a tag's networks of one kind."""
    kind = re.match("[a-z_]+", row.variant)[0]
    kind += "_v2" if "_v2" in row.variant else ""
    return row.tag if kind == "resnet" else f"{row.tag}, {kind}"


def mark(series):
    """A digest, kept in the picture's file, of the data that it shows."""
    return "data " + hashlib.sha256(repr(series).encode()).hexdigest()


def draw(series, path):
    """Accuracy against multiply-adds, a line for each source of weights."""
    metadata = {"Comment": mark(series)}
    with drawing.figure(path, 5.6, metadata=metadata) as figure:
        axes = figure.add_subplot()
        _draw(axes, series)
        drawing.legend_below(figure, axes, columns=2)


def _draw(axes, series):
    markers = itertools.cycle("os^Dv<>pP")
    for marker, (tag, values) in zip(markers, series.items(), strict=False):
        x, y, depths = zip(*values, strict=True)
        (line,) = axes.plot(x, y, marker=marker, label=tag, linewidth=1.2)
        for place in zip(x, y, depths, strict=True):
            axes.annotate(
                str(place[2]),
                place[:2],
                xytext=(5, 7 if marker == "^" else -12),
                textcoords="offset points",
                fontsize=8,
                color=line.get_color(),
            )
    axes.set(
        xlabel="multiply-adds of one image of 224x224, 1e9",
        ylabel="top-1 accuracy on ImageNet, one crop, %",
        title="Published weights; the number is the depth",
        xlim=(0, None),
    )
    axes.margins(x=0.06, y=0.08)


def check(folder, text, series):
    """Compares the files in a folder with what would be written.

    Raises:
        keras_resnet.UsageError: if one is missing or differs.
    """
    table, picture = folder / TABLE, folder / PICTURE
    same = table.is_file() and table.read_text(encoding="utf-8") == text
    drawn = picture.is_file() and mark(series).encode() in picture.read_bytes()
    for fine, path in ((same, table), (drawn, picture)):
        require(
            fine,
            f"{str(path)!r} is not up to date. Run: python pipelines/zoo.py",
        )


def main(args):
    _app.no_arguments(args)
    folder = pathlib.Path(FLAGS.docs_dir)
    sizes = {variant: sizes_lib.measure(variant) for variant in specs.VARIANTS}
    text, series = markdown(sizes), points(sizes)
    if FLAGS.check:
        check(folder, text, series)
        print(f"{folder / TABLE} and {PICTURE} are up to date.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE).write_text(text, encoding="utf-8")
    draw(series, folder / PICTURE)
    print(f"{folder / TABLE}: {len(sizes)} networks; {folder / PICTURE}")


if __name__ == "__main__":
    _app.run(main)
