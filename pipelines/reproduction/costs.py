"""What each network costs: weights, arithmetic, and memory to train it."""

import decimal

from benchmarks import tables
from reproduction import activations
from reproduction import sizes

from keras_resnet.networks import papers
from keras_resnet.networks import specs

# A weight, its gradient and its momentum, float32.
BYTES_A_PARAMETER = 3 * 4
BYTES_AN_ACTIVATION = 4


def run(job):
    """Counts, on a network that is built; trains nothing and reads no data."""
    return measure(job.row.variant)


def measure(variant):
    """The costs of a variant for images of the size it was published for.

    Returns:
        dict of ints: "parameters"; "multiply_adds" of one image;
        "weights_bytes", of float32 weights, gradients and momentum; and what
        training keeps of one image in float32, "activations_bytes" and, with
        units computed again, "remat_bytes".
    """
    depths = specs.VARIANTS[variant].depths
    model = sizes.build_short(variant)
    size = sizes.of_short(model, depths)
    kept = activations.count(
        sizes.layers_of_short(model, depths), model.input_shape[1:]
    )
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
        _line(name, experiment.rows[name].variant, found[name])
        for name in experiment.rows
        if name in found
    ]
    return tables.table(_TITLES, lines)


_TITLES = (
    "network | parameters, 1e6 | paper | multiply-adds, 1e9 | paper | "
    "weights, gradients, momentum, MB | activations of an image, MB | "
    "units computed again, MB"
)


def _line(name, variant, result):
    cells = [name]
    for key, unit, printed in (
        ("parameters", 1e6, papers.PARAMETERS),
        ("multiply_adds", 1e9, papers.MULTIPLY_ADDS),
    ):
        figure, _ = papers.find(printed, variant)
        cells.append(f"{result[key] / unit:.3f}")
        cells.append(beside(result[key] / unit, figure or ""))
    for key in ("weights_bytes", "activations_bytes", "remat_bytes"):
        cells.append(f"{result[key] / 1e6:,.1f}")
    return cells


def beside(counted, printed):
    """What is printed, and by how much a count differs: "3.8 (count +1.5 %)".

    It differs if the count, rounded to as many decimals, is another number.
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
