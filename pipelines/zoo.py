"""Writes the table of all networks and published weights, and its picture.

python pipelines/zoo.py            # docs/MODELS.md and docs/models.png
python pipelines/zoo.py --check    # fails if they are not up to date
"""

import hashlib
import pathlib

import _app
from absl import flags
from reproduction import sizes

from keras_resnet.errors import require
from keras_resnet.networks import specs
from keras_resnet.weights import published

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
flags.DEFINE_string("docs_dir", str(DOCS), "Where the two files go.")
flags.DEFINE_bool("check", False, "Compare the files instead of writing them.")

TABLE, PICTURE = "MODELS.md", "models.png"

# Top-1 errors that the papers print, in percent, and where. On CIFAR-10 P2
# gives the median of 5 runs and "fail" for more than 20 %.
TEN_CROP = "10-crop, P1 Table {}"
CROP_320 = "one crop of 320, P2 Table 5"
PAPERS = {
    "plainnet18": ("27.94", TEN_CROP.format(2)),
    "plainnet34": ("28.54", TEN_CROP.format(2)),
    "resnet18_a": ("27.88", TEN_CROP.format(2)),
    "resnet34_a": ("25.03", TEN_CROP.format(3)),
    "resnet34": ("24.52", TEN_CROP.format(3)),
    "resnet34_c": ("24.19", TEN_CROP.format(3)),
    "resnet50": ("22.85", TEN_CROP.format(3)),
    "resnet101": ("21.75", TEN_CROP.format(3)),
    "resnet152": ("21.43", TEN_CROP.format(3)),
    "resnet200": ("21.8", CROP_320),
    "resnet152_v2": ("21.1", CROP_320),
    "resnet200_v2": ("20.7", CROP_320),
    "plainnet110": ("> 60", "P1 sec. 4.2"),
    "resnet20": ("8.75", "P1 Table 6"),
    "resnet32": ("7.51", "P1 Table 6"),
    "resnet44": ("7.17", "P1 Table 6"),
    "resnet56": ("6.97", "P1 Table 6"),
    "resnet110": ("6.43", "best of 5, P1 Table 6"),
    "resnet1202": ("7.93", "P1 Table 6"),
    "resnet164": ("5.93", "P2 Table 3"),
    "resnet1001": ("7.61", "P2 Table 3"),
    "resnet110_v2": ("6.37", "P2 Table 3"),
    "resnet164_v2": ("5.46", "P2 Table 3"),
    "resnet1001_v2": ("4.92", "P2 Table 3"),
    "resnet110_one_layer": ("9.90", "P2 Table 3"),
    "resnet110_one_layer_v2": ("8.91", "P2 Table 3"),
    "resnet110_bn_after_add": ("8.17", "P2 Table 2"),
    "resnet164_bn_after_add": ("6.50", "P2 Table 2"),
    "resnet110_relu_before_add": ("7.84", "P2 Table 2"),
    "resnet164_relu_before_add": ("6.14", "P2 Table 2"),
    "resnet110_relu_preact": ("6.71", "P2 Table 2"),
    "resnet164_relu_preact": ("5.91", "P2 Table 2"),
    "resnet110_constant_scaling": ("12.35", "P2 Table 1"),
    "resnet110_constant_scaling_branch_1": ("> 20", "fail, P2 Table 1"),
    "resnet110_exclusive_gating": ("8.70", "P2 Table 1"),
    "resnet110_exclusive_gating_bias_0": ("> 20", "fail, P2 Table 1"),
    "resnet110_exclusive_gating_bias_minus_5": ("> 20", "fail, P2 Table 1"),
    "resnet110_exclusive_gating_bias_minus_7": ("9.81", "P2 Table 1"),
    "resnet110_shortcut_only_gating": ("6.91", "P2 Table 1"),
    "resnet110_shortcut_only_gating_bias_0": ("12.86", "P2 Table 1"),
    "resnet110_conv1x1": ("12.22", "P2 Table 1"),
    "resnet110_dropout": ("> 20", "fail, P2 Table 1"),
}

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

The files are verified before each use, against the md5 that Keras publishes
or the first 8 digits of the sha256 that torch's file names carry. Evaluation
transforms:
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
        "resize, crop | interpolation | licence",
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
    tags = [f"`{w.tag}`" for w in published.WEIGHTS if w.variant == name]
    error = PAPERS.get(name)
    return [
        f"`{name}`",
        str(row.depth),
        f"{size.parameters:,}",
        f"{size.multiply_adds:,}",
        f"{image_size}x{image_size}",
        row.reference,
        ", ".join(tags) or "none",
        f"{error[0]} ({error[1]})" if error else published.NOT_PUBLISHED,
    ]


def _weights_cells(row):
    return [
        f"`{row.variant}`",
        f"`{row.tag}`",
        published.percent(row.top1_accuracy),
        published.percent(row.top5_accuracy),
        row.accuracy_source,
        f"{row.resize}, {row.crop}",
        published.interpolation(row),
        row.licence or published.NOT_PUBLISHED,
    ]


def _transforms():
    sources = dict.fromkeys(w.evaluation_source for w in published.WEIGHTS)
    return ",\n".join(sources)


def points(sizes):
    """{tag: [(multiply-adds in 1e9, top-1 in percent, depth)]}."""
    series = {}
    for row in published.WEIGHTS:
        if row.top1_accuracy is None:
            continue
        series.setdefault(row.tag, []).append(
            (
                sizes[row.variant].multiply_adds / 1e9,
                round(100 * row.top1_accuracy, 6),
                specs.VARIANTS[row.variant].depth,
            )
        )
    return series


def mark(series):
    """Stands in the picture's file for the data that it was drawn from."""
    return "data " + hashlib.sha256(repr(series).encode()).hexdigest()


def draw(series, path):
    """Accuracy against multiply-adds, a line for each source of weights."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for marker, (tag, values) in zip("os^D", series.items(), strict=True):
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
    axes.set_xlabel("multiply-adds of one image of 224x224, 1e9")
    axes.set_ylabel("top-1 accuracy on ImageNet, one crop, %")
    axes.set_title("Published weights; the number is the depth", fontsize=10)
    axes.set_xlim(left=0)
    axes.margins(x=0.06, y=0.08)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=120, metadata={"Comment": mark(series)})


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
    sizes = {variant: sizes.measure(variant) for variant in specs.VARIANTS}
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
