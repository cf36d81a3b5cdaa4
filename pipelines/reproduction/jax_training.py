"""Runs a job on Keras' JAX backend and measures its speed; no TensorFlow.

The environment must say KERAS_BACKEND=jax.
"""

import functools
import json
import statistics
import time

from benchmarks import jax_steps
from benchmarks import measure
from reproduction import training

import keras_resnet
from keras_resnet import files
from keras_resnet.training.hooks import Hook
from keras_resnet.training.run import train_and_evaluate

SPEED = "speed.json"
_PRODUCTS, _ROUNDS = 10, 5


class _Watch(Hook):
    """Keeps the engine, which measures its own speed."""

    def begin(self, engine, state):
        self.engine = engine


def train(job, *, matrix_side=0):
    """Trains the network of a job, going on from the workdir's checkpoint.

    Args:
        job: `jobs.Job`; its `data_dir` is the folder of the data set's files,
            see `stores.arrays`.
        matrix_side: of square matrices. The speed is compared with the rate
            of their products; 0 for no comparison.

    Returns:
        dict: that of `training.summary`, and "speed", see `figures`;
        the speed is in speed.json too.

    Raises:
        as `train_and_evaluate`.
    """
    watch = _Watch()
    with training.timed(job.workdir):
        train_and_evaluate(
            job.recipe, job.workdir, data_dir=job.data_dir, hooks=[watch]
        )
    engine = watch.engine
    speed = figures(engine.model, engine.pace, matrix_side)
    speed["compile_seconds"] = engine.compile_seconds
    files.write_text(job.workdir / SPEED, json.dumps(speed) + "\n")
    return {**training.summary(job.workdir), "speed": speed}


@functools.cache
def matrix_teraflops(side):
    """TFLOP/s of products of two bfloat16 matrices, side x side: a spread."""
    steps, rates = jax_steps.matrix_product(side)(), []
    for _ in range(1 + _ROUNDS):  # the first compiles
        start = time.perf_counter()
        steps(_PRODUCTS, lambda: None)
        seconds = time.perf_counter() - start
        rates.append(2 * side**3 * _PRODUCTS / seconds / 1e12)
    return measure.spread(rates[1:])


def figures(model, images_per_second, side):
    """The speed of a run.

    Args:
        model: its network.
        images_per_second: list of floats, of each chunk of iterations.
        side: of the matrices, an int; 0 for no comparison with them.

    Returns:
        dict: "images_per_second" and "teraflops", spreads over the chunks;
        "matrix_teraflops", a spread over rounds, and "of_matrix_rate", the
        ratio of the medians. A step counts two operations for each
        multiply-add in each of three passes: forward and both gradients.
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
