"""One process of the scaling benchmark: times its steps and all-reduces.

    scaling_worker.py '[{"variant": ..., ...}, "figures.json"]'

TF_CONFIG says who it is. The chief writes the figures.
"""

import json
import os
import pathlib
import statistics
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]
INDEX = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
_CORES = sorted(os.sched_getaffinity(0))
# Before TensorFlow counts them.
os.sched_setaffinity(0, {_CORES[INDEX % len(_CORES)]})

import _app  # noqa: E402, F401
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import keras_resnet  # noqa: E402
from keras_resnet import optimizers  # noqa: E402
from keras_resnet.training import distribution  # noqa: E402
from keras_resnet.training import step as step_lib  # noqa: E402
from keras_resnet.training.workers import Workers  # noqa: E402

_WARM_UP = 2
_SIZES = (4, 64_000_000)  # bytes of an all-reduce
_ROUNDS = 20


def main(amounts, path):
    strategy = distribution.make_strategy("multi_worker")
    workers = Workers(strategy)
    with strategy.scope():
        model = keras_resnet.build(
            amounts["variant"],
            input_shape=(amounts["image_size"], amounts["image_size"], 3),
        )
        optimizer = optimizers.SGD(learning_rate=0.01)
        optimizer.build(model.trainable_variables)
    step = step_lib.make_train_step(strategy, model, optimizer)
    images = np.random.default_rng(0).integers(
        256, size=(amounts["batch"], *model.input_shape[1:]), dtype=np.uint8
    )
    batch = {
        "image": tf.constant(images),
        "label": tf.zeros((amounts["batch"],), tf.int32),
        "weight": tf.ones((amounts["batch"],)),
    }

    def train():
        np.asarray(step(batch))
        workers.highest(0)  # as the loop does

    figures = {
        "step": _seconds(train, amounts["steps"]),
        "bytes": 4
        * sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        "all_reduce": [
            (size, _seconds(_all_reduce(strategy, size), _ROUNDS))
            for size in _SIZES
        ],
    }
    if workers.is_chief:
        pathlib.Path(path).write_text(json.dumps(figures))
    workers.wait()


def _all_reduce(strategy, num_bytes):
    numbers = tf.ones((num_bytes // 4,))

    @tf.function
    def add():
        rows = strategy.run(tf.identity, args=(numbers,))
        return strategy.reduce("SUM", rows, axis=None)[0]

    return lambda: add().numpy()


def _seconds(call, rounds):
    """Median of some calls after a few."""
    for _ in range(_WARM_UP):
        call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
