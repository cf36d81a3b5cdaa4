"""What each network costs: weights, arithmetic, and memory to train it."""

import decimal
import re

from benchmarks import tables
from reproduction import activations
from reproduction import sizes
from reproduction.cost_rows import VGG

from keras_resnet.labels import drawing
from keras_resnet.networks import papers
from keras_resnet.networks import specs

# A weight, its gradient and its momentum, float32.
BYTES_A_PARAMETER = 3 * 4
BYTES_AN_ACTIVATION = 4


def run(job):
    """Counts on a built network; trains nothing and reads no data."""
    if job.row_name in VGG:
        return measure_vgg(job.row_name)
    return measure(job.row.variant)


def measure_vgg(name):
    """The same as `measure`, for a network of keras.applications."""
    import keras

    network = getattr(keras.applications, name.replace("-", ""))
    model = network(weights=None)
    kept = activations.count(model.layers, model.input_shape[1:])
    return _result(sizes.count(model), kept)


def measure(variant):
    """The costs of a variant for images of the size it was published for.

    Returns:
        dict of ints: "parameters"; "multiply_adds" of one image;
        "weights_bytes" of float32 weights, gradients and momentum;
        "activations_bytes", what training keeps of one image in float32; and
        "remat_bytes", the same if units are computed again.
    """
    depths = specs.VARIANTS[variant].depths
    model = sizes.build_short(variant)
    size = sizes.of_short(model, depths)
    kept = activations.count(
        sizes.layers_of_short(model, depths), model.input_shape[1:]
    )
    return _result(size, kept)


def _result(size, kept):
    return {
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
        "weights_bytes": BYTES_A_PARAMETER * size.parameters,
        "activations_bytes": BYTES_AN_ACTIVATION * kept.kept,
        "remat_bytes": BYTES_AN_ACTIVATION * kept.remat,
    }


def table(experiment, records):
    """Counts beside what the papers print."""
    found = {record["row"]: record["result"] for record in records}
    lines = [
        _line(name, found[name]) for name in experiment.rows if name in found
    ]
    return "\n\n".join([tables.table(_TITLES, lines), *beside_vgg(found)])


def beside_vgg(found):
    """Lines on what P1 secs. 1 and 3.3 say of VGG-19, by our counts.

    Args:
        found: {row: result}.
    """
    names = ("plainnet34", "resnet152")
    if not {*names, "VGG-19"} <= found.keys():
        return
    shares = [
        found[name]["multiply_adds"] / found["VGG-19"]["multiply_adds"]
        for name in names
    ]
    yield (
        "Of VGG-19's multiply-adds plainnet34 takes {:.1%} and resnet152, of "
        "eight times as many layers, {:.1%}.".format(*shares)
    )


def picture(experiment, records, path):
    """Multiply-adds over depth, of networks for ImageNet."""
    with drawing.figure(path, 4) as figure:
        axes = figure.subplots()
        found = {record["row"]: record["result"] for record in records}
        for (label, names), color, marker in zip(
            _LINES.items(), drawing.COLORS, "os^D", strict=False
        ):
            depths = [int(re.search(r"\d+", name)[0]) for name in names]
            work = [found[name]["multiply_adds"] / 1e9 for name in names]
            axes.plot(depths, work, marker=marker, color=color, label=label)
        axes.set(
            xlabel="layers with weights",
            ylabel="multiply-adds of an image of 224x224, 1e9",
            xlim=(0, None),
            ylim=(0, None),
        )
        axes.legend()


_LINES = {
    "VGG": tuple(VGG),
    "plain": ("plainnet18", "plainnet34"),
    "residual, two layers of 3x3 a unit": ("resnet18", "resnet34"),
    "residual, bottlenecks": ("resnet50", "resnet101", "resnet152"),
}


_TITLES = (
    "network | parameters, 1e6 | paper | multiply-adds, 1e9 | paper | "
    "weights, gradients, momentum, MB | activations of an image, MB | "
    "units computed again, MB"
)


def _line(name, result):
    cells = [name]
    for key, unit, printed in (
        ("parameters", 1e6, papers.PARAMETERS),
        ("multiply_adds", 1e9, papers.MULTIPLY_ADDS),
    ):
        figure, _ = papers.find(printed, name)
        if key == "multiply_adds":
            figure = figure or VGG.get(name)
        cells.append(f"{result[key] / unit:.3f}")
        cells.append(beside(result[key] / unit, figure or ""))
    for key in ("weights_bytes", "activations_bytes", "remat_bytes"):
        cells.append(f"{result[key] / 1e6:,.1f}")
    return cells


def beside(counted, printed):
    """What is printed, and by how much a count differs: "3.8 (count +1.5 %)".

    It differs if the count, rounded to as many decimals, is not that number.
    """
    if not printed:
        return ""
    exact = decimal.Decimal(printed)
    if decimal.Decimal(counted).quantize(exact) == exact:
        return printed
    return f"{printed} (count {100 * (counted / float(exact) - 1):+.1f} %)"


def how(records):
    """How the records came about, in words."""
    return f"networks counted: {len(records)}, nothing trained or timed"


def summary(records):
    """The counts of one row, in words."""
    result = records[0]["result"]
    return "{:.2f}e6 parameters, {:.3g}e9 multiply-adds".format(
        result["parameters"] / 1e6, result["multiply_adds"] / 1e9
    )
