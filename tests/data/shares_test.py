"""Shares of workers: together they are the global batch, each row once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import shares
from keras_resnet.labels.view import View
from keras_resnet.training import distribution

RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"], batch_size=12, steps=3, boundaries=(1,)
)
VIEW = View(resize=16, crop=16)
FILL = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", "validation")


def _contexts(workers, replicas):
    return [
        tf.distribute.InputContext(
            num_input_pipelines=workers,
            input_pipeline_id=worker,
            num_replicas_in_sync=workers * replicas,
        )
        for worker in range(workers)
    ]


def _together(make, workers, replicas):
    """Global batches, put together in the order of the replicas."""
    parts = [
        list(make(context).as_numpy_iterator())
        for context in _contexts(workers, replicas)
    ]
    assert len({len(part) for part in parts}) == 1
    return [
        {
            key: np.concatenate(
                [
                    batch[key]
                    for part in parts
                    for batch in part[first : first + replicas]
                ]
            )
            for key in parts[0][0]
        }
        for first in range(0, len(parts[0]), replicas)
    ]


@pytest.mark.parametrize(
    "in_memory, workers, replicas",
    [(True, 3, 2), (True, 1, 2), (False, 2, 1), (False, 2, 2)],
)
def test_training_shares_are_the_batches_of_one_machine(
    digits, workers, replicas, in_memory
):
    if not in_memory:
        digits = dataclasses.replace(digits, pixels=None)
    whole = list(
        pipeline.train_dataset(digits, RECIPE, fill=FILL, first_step=1)
    )
    parts = _together(
        lambda context: pipeline.train_dataset(
            digits, RECIPE, fill=FILL, first_step=1, context=context
        ),
        workers,
        replicas,
    )
    assert len(parts) == len(whole) == 2
    for a, b in zip(whole, parts, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize(
    "batch_size, workers, replicas", [(12, 2, 1), (360, 1, 2), (720, 3, 2)]
)
def test_evaluation_shares_hold_every_example_once(
    digits, workers, replicas, batch_size
):
    """In 720 rows whole shares are empty: their weights are 0."""
    parts = _together(
        lambda context: pipeline.eval_dataset(
            digits, VIEW, batch_size=batch_size, context=context
        ),
        workers,
        replicas,
    )
    weight = np.concatenate([batch["weight"] for batch in parts])
    assert list(weight) == [1] * 359 + [0] * (len(weight) - 359)
    labels = np.concatenate([batch["label"] for batch in parts])[:359]
    np.testing.assert_array_equal(labels, digits.labels)
    for batch in parts:
        assert len(batch["label"]) == batch_size


def test_a_batch_that_the_replicas_do_not_divide_is_refused(digits):
    for context in _contexts(2, 2):
        with pytest.raises(errors.UsageError, match="4 devices .*=10"):
            pipeline.eval_dataset(digits, VIEW, batch_size=10, context=context)


@pytest.mark.parametrize("name, devices", [("one_device", 1), ("mirrored", 2)])
def test_a_strategy_gets_as_many_batches_as_there_are(digits, name, devices):
    strategy = distribution.make_strategy(name, devices)
    dataset = shares.distribute(
        strategy,
        lambda context: pipeline.eval_dataset(
            digits, VIEW, batch_size=100, context=context
        ),
        4,
    )
    for _ in range(2):
        seen = [
            [
                copy.numpy()
                for copy in strategy.experimental_local_results(batch["label"])
            ]
            for batch in dataset
        ]
        assert [len(copies) for copies in seen] == [devices] * 4
        labels = np.concatenate([np.concatenate(copies) for copies in seen])
        np.testing.assert_array_equal(labels[:359], digits.labels)
