"""One process of the scaling benchmark: times its steps and all-reduces.

TF_CONFIG says who it is.
"""

import json
import os
import statistics
import time

_CORES = sorted(os.sched_getaffinity(0))
_INDEX = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
# Before TensorFlow counts them.
os.sched_setaffinity(0, {_CORES[_INDEX % len(_CORES)]})

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from benchmarks import steps as steps_lib  # noqa: E402

import keras_resnet  # noqa: E402
from keras_resnet import optimizers  # noqa: E402
from keras_resnet.training import distribution  # noqa: E402
from keras_resnet.training import step as step_lib  # noqa: E402
from keras_resnet.training.workers import Workers  # noqa: E402

_SIZES = (4, 64_000_000)  # bytes of an all-reduce
_WARM_UP, _ROUNDS = 2, 20


def measure(variant, image_size, batch, steps):
    """A contender that is only built, in step with the other workers.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        image_size: pixels.
        batch: images of this worker.
        steps: int, timed ones.

    Returns:
        Function () -> {"step": median seconds, "bytes": of the gradients,
        "all_reduce": (bytes, median seconds) of a small and of a large one}.
    """

    def build():
        strategy = distribution.make_strategy("multi_worker")
        workers = Workers(strategy)
        with strategy.scope():
            shape = (image_size, image_size, 3)
            classes = steps_lib.CLASSES
            model = keras_resnet.build(
                variant, input_shape=shape, classes=classes
            )
            optimizer = optimizers.SGD(learning_rate=0.01)
            optimizer.build(model.trainable_variables)
        train_step = step_lib.make_train_step(strategy, model, optimizer)
        images, labels = map(tf.constant, steps_lib.pixels(image_size, batch))
        examples = {"image": images, "label": labels, "weight": tf.ones(batch)}

        def train():
            np.asarray(train_step(examples))
            workers.highest(0)  # as the loop does

        count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        figures = {"step": _seconds(train, steps), "bytes": 4 * count}
        figures["all_reduce"] = [
            (size, _seconds(_all_reduce(strategy, size), _ROUNDS))
            for size in _SIZES
        ]
        workers.wait()
        return figures

    return build


def _all_reduce(strategy, num_bytes):
    numbers = tf.ones((num_bytes // 4,))

    @tf.function
    def add():
        rows = strategy.run(tf.identity, args=(numbers,))
        return strategy.reduce("SUM", rows, axis=None)[0]

    return lambda: add().numpy()


def _seconds(call, rounds):
    """Median of some calls after a few."""
    times = []
    for _ in range(_WARM_UP + rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[_WARM_UP:])
