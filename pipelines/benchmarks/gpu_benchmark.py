"""Steps on one GPU: ours on JAX, torchvision's, and matrix products."""

import subprocess

from benchmarks import measure
from benchmarks import pictures
from benchmarks import runner
from benchmarks import tables
from benchmarks.runner import Contender

# torchvision's network, whose strides are in the 3x3 convolutions.
VARIANT, MULTIPLY_ADDS = "resnet50_v1_5", 4_089_184_256  # of 224x224 pixels
OURS, PRODUCT = "ours, JAX", "matrix product"

PACKAGES = "jax", "keras", "torch", "torchvision"
FULL = {
    "device": "cuda",
    "image_size": 224,
    "batch_size": 256,
    "compiled": True,  # whether PyTorch uses its compiler
    "side": 8192,  # of the matrices
    "rounds": 5,
    "steps": 30,  # timed steps of a turn
}
SHORT = {**FULL, "rounds": 3, "steps": 10}
# Runs on any CPU.
QUICK = {
    "device": "cpu",
    "image_size": 32,
    "batch_size": 2,
    "compiled": False,
    "side": 64,
    "rounds": 1,
    "steps": 1,
}


def contenders(amounts):
    """{row: `Contender`}."""
    batch, device = amounts["batch_size"], amounts["device"]
    size = {"image_size": amounts["image_size"], "batch_size": batch}
    ours = {"variant": VARIANT, "dtype": "mixed_bfloat16"}
    theirs = {"compiled": amounts["compiled"], "device": device, "mixed": True}
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": device,
        # Processes that share a GPU must not each take most of it.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    work = {
        OURS: ("jax_steps:ours", size | ours),
        "torchvision, PyTorch": ("steps:torchvision", size | theirs),
        PRODUCT: ("jax_steps:matrix_product", {"side": amounts["side"]}),
    }
    return {
        name: Contender(f"benchmarks.{function}", choices, batch, environment)
        for name, (function, choices) in work.items()
    }


def groups(amounts, say=print):
    """{group: () -> its part of the figures}."""
    return {"steps": lambda: _steps(amounts, say)}


def _steps(amounts, say):
    rounds, steps = amounts["rounds"], amounts["steps"]
    of = contenders(amounts)
    turns = runner.take_turns(of, rounds=rounds, steps=steps, say=say)
    # Two operations per multiply-add, and three passes: forward and both
    # gradients. Those of a matrix product are divided by the images of a step.
    share = (amounts["image_size"] / FULL["image_size"]) ** 2
    operations = dict.fromkeys(of, 6 * MULTIPLY_ADDS * share)
    operations[PRODUCT] = 2 * amounts["side"] ** 3 / amounts["batch_size"]
    speed = summarise(turns.rounds, operations)
    for name, begun in turns.begun.items():
        speed[name]["first_step"] = begun["first_step"]["wall_seconds"]
    return {
        "accelerator": accelerator(),
        "missing": turns.missing,
        "speed": speed,
    }


def accelerator():
    """The name of the first GPU; "" where there is none."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        names = subprocess.run(query, capture_output=True, text=True).stdout
    except OSError:
        return ""
    return names.partition("\n")[0].strip()


def summarise(rounds, operations):
    """{row: spreads}, with the share of the matrix product's rate.

    Args:
        rounds: {row: list of `measure.rates`}.
        operations: {row: floating-point operations of an image}.
    """
    over = {"ours_over_this": ("images_per_second", OURS)}
    speed = measure.summarise(rounds, ("images_per_second",), over)
    flops = {
        name: [
            one["images_per_second"] * operations[name] / 1e12 for one in of_one
        ]
        for name, of_one in rounds.items()
    }
    for name, row in speed.items():
        row["teraflops"] = measure.spread(flops[name])
        row["of_matrix_product"] = measure.ratio(flops[name], flops[PRODUCT])
    return speed


def report(figures):
    """A table of all contenders, and a panel."""
    protocol = (
        VARIANT
        + ", {image_size} px, {batch_size} images a step on {device}; {rounds} "
        "rounds in turns after one to warm up, {steps} steps a turn"
    ).format(**figures["amounts"])
    if figures["accelerator"]:
        protocol = f"{figures['accelerator']}, {protocol}"
    rows = dict(figures["speed"])
    # A matrix product has no images.
    keys = ("teraflops", "of_matrix_product")
    rows[PRODUCT] = {key: rows[PRODUCT][key] for key in keys}
    parts = [tables.machine(figures, protocol), tables.of_rows(rows, SPEED)]
    bars = {name: row["teraflops"] for name, row in rows.items()}
    panel = pictures.panel("Training steps", "TFLOP/s", bars, PRODUCT)
    return parts + tables.missing(figures), [panel]


SPEED = {
    "contender": ("name", ""),
    "images/s": ("images_per_second", ",.0f"),
    "TFLOP/s": ("teraflops", ".3g"),
    "of the matrix product's": ("of_matrix_product", ".2f"),
    "ours over it, images/s": ("ours_over_this", ".2f"),
    "first step, s": ("first_step", ".1f"),
}
