"""A part of a data set: which examples it has, and that they are read right."""

import dataclasses

import numpy as np
import pytest

from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import order
from keras_resnet.data.examples import splits
from keras_resnet.errors import UsageError
from keras_resnet.recipes import Recipe


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", "train")


def read(split, index):
    image, label = split.read(np.int64(index))
    return image.numpy(), int(label)


def test_evenly_spaced_examples_are_those_of_the_whole(digits):
    some = splits.evenly_spaced(digits, 100)
    assert some.num_examples == 100
    for index in (0, 1, 57, 99):
        whole = index * digits.num_examples // 100
        image, label = read(some, index)
        np.testing.assert_array_equal(image, read(digits, whole)[0])
        np.testing.assert_array_equal(image, some.pixels[index])
        assert label == some.labels[index] == digits.labels[whole]
        assert some.describe(index) == digits.describe(whole)


def test_classes_that_lie_one_after_the_other_keep_their_shares(digits):
    rising = np.argsort(digits.labels, kind="stable")
    ordered = dataclasses.replace(digits, labels=digits.labels[rising])
    some = splits.evenly_spaced(ordered, 100)
    whole = np.bincount(digits.labels) * 100 / digits.num_examples
    assert np.abs(np.bincount(some.labels) - whole).max() < 1
    # The first hundred would all be of one class.
    assert set(ordered.labels[:100]) == {0}


def test_no_number_is_all_and_too_large_a_one_is_refused(digits):
    assert splits.evenly_spaced(digits, 0) is digits
    with pytest.raises(UsageError, match="1438 examples.*train_examples=2000"):
        splits.evenly_spaced(digits, 2000)


def test_what_is_set_aside_is_not_trained_on(digits):
    others, aside = order.set_aside(digits.name, 1438, 200)
    assert (len(others), len(aside)) == (1238, 200)
    assert sorted([*others, *aside]) == list(range(digits.num_examples))
    with pytest.raises(UsageError, match="=1438 leaves nothing to train on"):
        order.set_aside(digits.name, 1438, 1438)


def test_training_sees_no_other_examples(digits):
    recipe = Recipe(
        dataset="digits",
        image_size=8,
        eval_resize=8,
        augmentation="none",
        batch_size=5,
        steps=4,
    )
    some = splits.evenly_spaced(digits, 10)
    seen = [
        np.asarray(image)
        for batch in pipeline.train_dataset(some, recipe, fill=(0, 0, 0))
        for image in batch["image"]
    ]
    assert len({image.tobytes() for image in seen}) == 10
    expected = {image.numpy().tobytes() for image in some.pixels}
    assert {image.tobytes() for image in seen} == expected
    indices, _ = order.positions(some, recipe, 0)
    assert max(indices) < 10
