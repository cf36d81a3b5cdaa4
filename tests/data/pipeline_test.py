"""Batches are functions of seed, epoch and position; examples count once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from photographs import encoded
from photographs import photograph

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import order
from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import training_views
from keras_resnet.labels.view import View
from keras_resnet.recipes import sizes

FILL = (78.0,) * 3


def _recipe(**changes):
    return dataclasses.replace(recipes.RECIPES["digits"], **changes)


def _batches(recipe):
    split = datasets.load("digits", "train")
    dataset = pipeline.train_dataset(split, recipe, fill=FILL)
    return list(dataset.as_numpy_iterator())


def _same(a, b):
    return all(np.array_equal(a[key], b[key]) for key in a)


def test_batches_repeat_with_the_seed_and_change_without_it():
    recipe = _recipe(steps=3)
    first, second = _batches(recipe), _batches(recipe)
    other = _batches(dataclasses.replace(recipe, seed=1))
    for a, b, c in zip(first, second, other, strict=True):
        assert _same(a, b)
        assert not _same(a, c)


def test_training_pixels_are_augmented_uint8():
    batch = _batches(_recipe(steps=1))[0]
    plain = _batches(_recipe(steps=1, augmentation="none"))[0]
    assert batch["image"].shape == (64, 16, 16, 3)
    assert batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["label"], plain["label"])
    assert not np.array_equal(batch["image"], plain["image"])
    np.testing.assert_array_equal(batch["weight"], np.ones(64))


@pytest.mark.parametrize("step, side", [(1, 6), (4, 12)])
def test_smaller_crops_show_the_same_part_of_the_same_images(step, side):
    recipe = _recipe(
        image_size=12,
        eval_size=16,
        eval_resize=20,
        pad_pixels=2,
        progressive_sizes=(6, 8),
        progressive_boundaries=(2, 4),
        batch_size=4,
        steps=5,
    )
    split = datasets.load("digits", "train")
    (found,) = (
        stage
        for first, end, stage in sizes.stages(recipe)
        if first <= step < end
    )
    assert (found.image_size, found.pad_pixels) == (side, side // 6)
    plain = dataclasses.replace(found, augmentation="none")
    dataset = pipeline.train_dataset(split, plain, fill=FILL, first_step=step)
    batch = next(dataset.as_numpy_iterator())
    indices, _ = order.positions(split, recipe, step)
    # Evaluation shows 16 of 20 pixels; smaller crops show the same share.
    seen = pipeline.eval_dataset(
        splits.select(split, indices),
        View(resize=round(side * 20 / 16), crop=side),
        batch_size=4,
    )
    assert _same(batch, next(seen.as_numpy_iterator()))
    assert View.of(recipe) == View(resize=20, crop=16)


@pytest.mark.parametrize("batch_size", [7, 359, 500])
def test_evaluation_weighs_every_example_once(batch_size):
    split = datasets.load("digits", "validation")
    dataset = pipeline.eval_dataset(
        split, View(resize=16, crop=16), batch_size=batch_size
    )
    labels, weights = [], []
    for batch in dataset.as_numpy_iterator():
        assert batch["image"].shape == (batch_size, 16, 16, 3)
        labels += list(batch["label"])
        weights += list(batch["weight"])
    assert weights[:359] == [1] * 359
    assert not any(weights[359:])
    assert labels[:359] == list(split.labels)


def _photographs(tmp_path):
    (tmp_path / "validation").mkdir()  # so that nothing is held out
    for i in range(10):
        path = tmp_path / "train" / "a" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = photograph("china.jpg", 60, 45)
        path.write_bytes(encoded(np.roll(image, 5 * i, axis=1), "JPEG"))
    return datasets.load(f"folder:{tmp_path}", "train")


CROPS = recipes.Recipe(
    augmentation="imagenet",
    image_size=24,
    eval_resize=24,
    scale_range=(24, 40),
    batch_size=4,
    steps=9,
)


def test_parts_chosen_for_many_files_are_those_of_each_alone(clean):
    split = datasets.load(f"folder:{clean}", "train")
    changes = {"augmentation": "area_crop", "exif": "apply", "steps": 1}
    recipe = dataclasses.replace(
        CROPS, **changes, batch_size=split.num_examples
    )
    alone = tf.function(
        lambda index, seed: training_views.augment(
            split.read(index)[0], seed, recipe, FILL
        ),
        autograph=False,
    )
    dataset = pipeline.train_dataset(split, recipe, fill=FILL)
    (batch,) = dataset.as_numpy_iterator()
    examples = zip(*order.positions(split, recipe, 0), strict=True)
    for image, example in zip(batch["image"], examples, strict=True):
        expected = alone(*map(tf.constant, example)).numpy()
        np.testing.assert_array_equal(image, expected)
    other = alone(tf.constant(example[0]), tf.constant(example[1] + 1))
    assert not np.array_equal(image, other)


POLICY = {"policy": "rand_augment", "policy_magnitude": 7.0, "erasing": 0.5}


@pytest.mark.parametrize("store", ["files", "memory", "memory, policy"])
def test_batches_are_the_same_from_a_later_step_on_and_on_one_thread(
    tmp_path, store
):
    if store == "files":
        split, recipe = _photographs(tmp_path), CROPS
    else:
        split, recipe = datasets.load("digits", "train"), _recipe(steps=9)
    if store == "memory, policy":
        recipe = dataclasses.replace(recipe, batch_size=4, **POLICY)
    dataset = pipeline.train_dataset(split, recipe, fill=FILL)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    whole = list(dataset.with_options(options).as_numpy_iterator())
    later = pipeline.train_dataset(split, recipe, fill=FILL, first_step=4)
    for a, b in zip(whole[4:], later.as_numpy_iterator(), strict=True):
        assert _same(a, b)
    assert not _same(whole[0], whole[4])


@pytest.mark.parametrize("name", ["none", "cifar"])
def test_images_in_memory_give_what_one_by_one_they_give(name):
    split = datasets.load("digits", "train")
    recipe = _recipe(augmentation=name, steps=3)
    at_once = pipeline.train_dataset(split, recipe, fill=FILL)
    single = pipeline.train_dataset(
        dataclasses.replace(split, pixels=None), recipe, fill=FILL
    )
    for a, b in zip(
        at_once.as_numpy_iterator(), single.as_numpy_iterator(), strict=True
    ):
        assert _same(a, b)


def test_fewer_images_than_a_batch_are_taken_more_than_once():
    digits = datasets.load("digits", "train")
    split = splits.select(digits, np.arange(10))
    recipe = _recipe(batch_size=25, steps=1)
    (batch,) = pipeline.train_dataset(split, recipe, fill=FILL)
    assert batch["image"].shape == (25, 16, 16, 3)
    indices, seeds = order.positions(split, recipe, 0)
    assert sorted(np.bincount(indices)) == [2] * 5 + [3] * 5
    # Every repetition has its own seed.
    assert len(set(seeds)) == 25
