"""Our step on JAX beside torchvision's on one GPU, and its matrix products."""

import contextlib
import dataclasses
import os

from benchmarks import measure
from benchmarks import tables
from benchmarks import turns

# torchvision's: the strides are in the 3x3 convolutions.
VARIANT = "resnet50_v1_5"
OURS, PRODUCT = "ours, JAX", "matrix product"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """What is measured, and how much.

    Attributes:
        device: "cuda" or "cpu".
        image_size, batch_size: of both contenders.
        compiled: whether PyTorch has its compiler.
        side: of the matrices.
        rounds: that count.
        steps: timed ones of a turn.
    """

    device: str
    image_size: int
    batch_size: int
    compiled: bool
    side: int
    rounds: int
    steps: int


def tasks(amounts):
    """{row: (contender, its arguments)}, see `train_contenders`."""
    size = {
        "image_size": amounts.image_size,
        "batch_size": amounts.batch_size,
    }
    return {
        OURS: (
            "benchmarks.jax_steps:ours",
            {**size, "variant": VARIANT, "dtype": "mixed_bfloat16"},
        ),
        "torchvision, PyTorch": (
            "benchmarks.torch_steps:torchvision",
            {
                **size,
                "device": amounts.device,
                "mixed": True,
                "compiled": amounts.compiled,
            },
        ),
        PRODUCT: (
            "benchmarks.jax_steps:matrix_product",
            {"side": amounts.side},
        ),
    }


def run(amounts, say=print):
    """Measures everything; a dict of figures, as JSON can hold it.

    Args:
        amounts: `Amounts`.
        say: what takes a line on the progress.
    """
    # Processes that share a GPU must not each take most of it.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["JAX_PLATFORMS"] = amounts.device
    with contextlib.ExitStack() as stack:
        workers, missing = {}, {}
        for name, task in tasks(amounts).items():
            say(f"Starting: {name} ...")
            try:
                workers[name] = stack.enter_context(turns.Worker(*task))
            except turns.NotInstalled as error:
                missing[name] = str(error)
        spent = turns.Spent()
        runs = measure.alternate(
            {
                name: spent.turn(one, amounts.steps, amounts.batch_size)
                for name, one in workers.items()
            },
            rounds=amounts.rounds,
            clocks=spent.clocks,
        )
    speed = summarise(runs, operations(amounts))
    for name, one in workers.items():
        speed[name]["first_step"] = one.begun["first_step"]["wall_seconds"]
    return {
        "amounts": dataclasses.asdict(amounts),
        "missing": missing,
        "speed": speed,
    }


def operations(amounts):
    """Floating-point operations of an image: {row: count}.

    Two for each multiply-add, and three passes: forward and both gradients.
    Those of a matrix product are dealt to the images of a step.
    """
    os.environ["JAX_PLATFORMS"] = "cpu"  # the device is the workers'
    import keras_resnet

    model = keras_resnet.build(
        VARIANT, input_shape=(amounts.image_size, amounts.image_size, 3)
    )
    of_step = 6 * keras_resnet.multiply_adds(model)
    of_product = 2 * amounts.side**3 / amounts.batch_size
    return dict.fromkeys(tasks(amounts), of_step) | {PRODUCT: of_product}


def summarise(runs, operations_of):
    """Speeds, and how much of the matrix product's rate each step reaches.

    Args:
        runs: {row: list of `measure.Run`}, of `measure.alternate`.
        operations_of: {row: floating-point operations of an image}.

    Returns:
        {row: {"images_per_second", "teraflops", "of_matrix_product",
        "ours_over_this": of images a second}}, spreads.
    """
    rates = {
        name: [run.images / run.wall_seconds for run in of_one]
        for name, of_one in runs.items()
    }
    flops = {
        name: [rate * operations_of[name] / 1e12 for rate in of_one]
        for name, of_one in rates.items()
    }
    return {
        name: {
            "images_per_second": measure.spread(rates[name]),
            "teraflops": measure.spread(flops[name]),
            "of_matrix_product": measure.ratio(flops[name], flops[PRODUCT]),
            "ours_over_this": measure.ratio(rates[OURS], rates[name]),
        }
        for name in runs
    }


def markdown(figures):
    """The figures of `run` as a table."""
    rows = []
    for name, row in figures["speed"].items():
        cells = [
            tables.spread(row["images_per_second"], ",.0f"),
            tables.spread(row["teraflops"], ".3g"),
            tables.spread(row["of_matrix_product"], ".2f"),
            tables.spread(row["ours_over_this"], ".2f"),
            f"{row['first_step']:.1f}",
        ]
        if name == PRODUCT:  # it has no images
            cells = ["", *cells[1:3], "", ""]
        rows.append([name, *cells])
    for name, why in figures["missing"].items():
        rows.append([name, f"not installed: {why}", "", "", "", ""])
    titles = (
        "contender | images/s | TFLOP/s | of the matrix product's | "
        "ours over it, images/s | first step, s"
    )
    return tables.table(titles, rows)
