"""How fast a run on JAX was, and how much of the device's matrix rate."""

import functools
import os
import statistics
import time

import jax
import jaxlib
import keras
import numpy as np
from benchmarks import jax_steps
from benchmarks import measure

import keras_resnet

_PRODUCTS, _ROUNDS = 10, 5


def environment():
    """What figures and bits depend on, beside the recipe: a dict."""
    return {
        "backend": "jax",
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "device": jax.devices()[0].device_kind,
        "cpus": len(os.sched_getaffinity(0)),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
    }


@functools.cache
def matrix_teraflops(side):
    """Of products of two bfloat16 matrices, side x side: a spread."""
    steps = jax_steps.matrix_product(side)()
    steps(_PRODUCTS, _nothing)
    rates = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        steps(_PRODUCTS, _nothing)
        seconds = time.perf_counter() - start
        rates.append(2 * side**3 * _PRODUCTS / seconds / 1e12)
    return measure.spread(rates)


def _nothing():
    pass


def figures(model, images_per_second, side):
    """The speed of a run.

    Args:
        model: its network.
        images_per_second: list of floats, of each chunk of iterations.
        side: of the matrices, an int; 0 for no comparison with them.

    Returns:
        dict: "images_per_second" and "teraflops", spreads over the chunks;
        "matrix_teraflops", a spread over rounds, and "of_matrix_rate", the
        ratio of the medians. Two operations for each multiply-add and three
        passes: forward and both gradients.
    """
    if not images_per_second:
        return {}
    operations = 6 * keras_resnet.multiply_adds(model)
    flops = [operations * rate / 1e12 for rate in images_per_second]
    found = {
        "images_per_second": measure.spread(images_per_second),
        "teraflops": measure.spread(flops),
    }
    if side:
        products = matrix_teraflops(side)
        found["matrix_side"] = side
        found["matrix_teraflops"] = products
        found["of_matrix_rate"] = statistics.median(flops) / products["median"]
    return found
