"""Our data sets run without TensorFlow's tuner, which makes programs hang."""

import dataclasses
import threading

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import execution
from keras_resnet.data.examples import shares
from keras_resnet.labels.view import View
from keras_resnet.training import distribution

RECIPE = dataclasses.replace(recipes.RECIPES["digits"], batch_size=4)
FILL = (0.0, 0.0, 0.0)


@pytest.mark.parametrize("store", ["memory", "one by one"])
def test_batches_of_training_and_evaluation_come_without_it(store):
    split = datasets.load("digits", "train")
    if store == "one by one":
        split = dataclasses.replace(split, pixels=None)
    for dataset in (
        pipeline.train_dataset(split, RECIPE, fill=FILL),
        pipeline.eval_dataset(split, View.of(RECIPE), batch_size=4),
    ):
        assert dataset.options().autotune.enabled is False
    # TensorFlow's own choice.
    assert tf.data.Dataset.range(1).options().autotune.enabled is None


@pytest.mark.parametrize("devices, ours", [(1, True), (2, False)])
def test_one_cpu_reads_them_itself(devices, ours):
    """A strategy's iterator for a device has the tuner, whatever it reads."""
    name = "one_device" if devices == 1 else "mirrored"
    made = []

    def make(context):
        made.append(tf.data.Dataset.range(4).batch(1))
        return made[-1]

    batches = shares.distribute(
        distribution.make_strategy(name, devices), make, 2
    )
    assert (batches._dataset is made[0]) is ours
    assert len(list(batches)) == 2


@pytest.mark.parametrize("all_threads", [True, False])
def test_without_it_examples_are_made_on_all_threads(all_threads):
    """Two examples wait for each other: one thread alone makes neither."""
    meeting = threading.Barrier(2, timeout=60 if all_threads else 1)

    def meet(number):
        try:
            meeting.wait()
        except threading.BrokenBarrierError:
            return np.int64(-1)
        return number

    numbers = tf.data.Dataset.range(2).map(
        lambda number: tf.numpy_function(meet, [number], tf.int64),
        tf.data.AUTOTUNE,
    )
    if all_threads:
        numbers = execution.ahead(numbers)
    else:
        options = tf.data.Options()
        options.autotune.enabled = False
        options.autotune.initial_parallelism = 1
        numbers = numbers.with_options(options)
    made = list(numbers.as_numpy_iterator())
    assert made == ([0, 1] if all_threads else [-1, -1])
