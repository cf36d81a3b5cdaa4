"""One process of the scaling benchmark: times its steps and its sums.

TF_CONFIG says which worker it is; each worker has one core. Without TF_CONFIG,
one process has all cores.
"""

import json
import os
import statistics
import time

if "TF_CONFIG" in os.environ:
    _CORES = sorted(os.sched_getaffinity(0))
    _INDEX = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    # Before TensorFlow counts the cores.
    os.sched_setaffinity(0, {_CORES[_INDEX % len(_CORES)]})

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from benchmarks import steps as steps_lib  # noqa: E402

import keras_resnet  # noqa: E402
from keras_resnet import optimizers  # noqa: E402
from keras_resnet.training import distribution  # noqa: E402
from keras_resnet.training import step as step_lib  # noqa: E402
from keras_resnet.training.workers import Workers  # noqa: E402

_WARM_UP = 2


def measure(variant, image_size, batch, steps, devices=1):
    """A contender that is only built, in step with the other processes.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        image_size: pixels.
        batch: images of each device.
        steps: int, timed ones.
        devices: int, of this process; more than 1 only if it is alone.

    Returns:
        Function () -> dict of median seconds. "step" is a step of all
        processes. "local" is a step that sums no gradients, until all others
        have taken theirs; "own" is the same without waiting for them.
        "gradients" and "number" are sums of the gradients and of one number
        over all devices, between steps. The dict has the gradients' "bytes"
        too.
    """

    def build():
        if devices > 1:
            strategy = distribution.make_strategy("mirrored", devices)
        else:
            strategy = distribution.make_strategy("multi_worker")
        workers = Workers(strategy)
        images, labels = map(tf.constant, steps_lib.pixels(image_size, batch))
        examples = {"image": images, "label": labels, "weight": tf.ones(batch)}
        step, variables = _step(strategy, variant, image_size)

        def train():
            np.asarray(step(examples))
            workers.highest(0)  # as the loop does

        gradients = [tf.ones(v.shape) for v in variables]
        calls = {
            "step": train,
            "gradients": _sum(strategy, gradients),
            "number": _sum(strategy, [tf.ones(1)]),
        }
        if devices == 1:
            one = distribution.make_strategy("one_device")
            local, _ = _step(one, variant, image_size)
            # Until the slowest is there: a sum of gradients waits for it.
            calls["local"] = lambda: (local(examples), workers.wait())
            calls["own"] = lambda: np.asarray(local(examples))
        num_bytes = sum(4 * int(np.prod(v.shape)) for v in variables)
        return {"bytes": num_bytes, **_seconds(calls, steps, workers)}

    return build


def _step(strategy, variant, image_size):
    """A training step of a strategy, and the variables that it trains."""
    with strategy.scope():
        shape, classes = (image_size, image_size, 3), steps_lib.CLASSES
        model = keras_resnet.build(variant, input_shape=shape, classes=classes)
        optimizer = optimizers.SGD(learning_rate=0.01)
        optimizer.build(model.trainable_variables)
    step = step_lib.make_train_step(strategy, model, optimizer)
    return step, model.trainable_variables


def _sum(strategy, values):
    """A function that sums arrays over all devices, as an optimizer does."""

    def of_device(values):
        values = [tf.identity(value) for value in values]  # on this device
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, values)

    @tf.function(autograph=False)
    def add(values):
        return strategy.run(of_device, args=(values,))

    return lambda: add(values)


def _seconds(calls, rounds, workers):
    """{name: median seconds} of functions that take turns, after a few."""
    times = {name: [] for name in calls}
    for _ in range(_WARM_UP + rounds):
        for name, call in calls.items():
            workers.wait()
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    workers.wait()
    return {n: statistics.median(t[_WARM_UP:]) for n, t in times.items()}
