"""Augmentations: pure, the same eager, in a graph and in batches."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from photographs import encoded
from photographs import photograph

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import training_views
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.view import View

FILL = (123.0, 116.0, 103.0)
RECIPE = recipes.Recipe(
    image_size=32, eval_resize=36, pad_pixels=4, scale_range=(36, 48)
)
SEEDS = [tf.constant(seed, tf.int64) for seed in (0, 1, -(2**60))]


def _recipe(name, **changes):
    return dataclasses.replace(RECIPE, augmentation=name, **changes)


def _graph(recipe):
    return tf.function(
        lambda image, seed: training_views.augment(image, seed, recipe, FILL),
        autograph=False,
    )


@pytest.mark.parametrize("name", augmentations.AUGMENTATIONS)
def test_augmentations_are_pure_and_equal_eager_and_in_a_graph(name):
    picture, given = photograph("china.jpg", 200, 150), {}
    # Encoded files too: for a view, for a window and for changed colours.
    if name in ("cifar", "scale_crop", "area_crop_color"):
        given = {kind: encoded(picture, kind) for kind in ("JPEG", "PNG")}
    recipe = _recipe(name)
    graph = _graph(recipe)
    for image in map(tf.constant, (*given.values(), picture)):
        results = []
        for seed in SEEDS:
            eager = training_views.augment(image, seed, recipe, FILL).numpy()
            assert eager.shape == (32, 32, 3)
            assert eager.dtype == np.uint8
            np.testing.assert_array_equal(eager, graph(image, seed))
            results.append(eager)
        again = training_views.augment(image, SEEDS[0], recipe, FILL)
        np.testing.assert_array_equal(results[0], again)
        assert np.array_equal(results[0], results[1]) == (name == "none")
    if name == "none":
        view = transforms.evaluation(picture, View.of(recipe))
        np.testing.assert_array_equal(results[0], view)


@pytest.mark.parametrize("name", ["none", "pad_crop", "cifar"])
def test_a_batch_is_augmented_as_its_images_are(name):
    recipe = _recipe(name, eval_resize=32)
    images = np.stack([photograph()[i : i + 32, :32] for i in range(0, 320, 8)])
    seeds = tf.range(len(images), dtype=tf.int64)
    batch = training_views.apply_to_batch(
        tf.constant(images), training_views.draw(seeds, recipe), recipe, FILL
    )
    graph = _graph(recipe)
    for image, seed, row in zip(images, seeds, batch, strict=True):
        one = graph(tf.constant(image), seed)
        np.testing.assert_array_equal(row, one)


def _mirrored(name, n, image):
    """How many of n augmented images are mirrored, by comparing halves."""
    recipe = _recipe(name, pad_pixels=0, scale_range=(32, 32), eval_resize=32)
    graph, dark_left = _graph(recipe), np.repeat(image, 3, axis=-1)
    seeds = tf.range(n, dtype=tf.int64)
    found = tf.function(
        lambda: tf.map_fn(lambda seed: graph(dark_left, seed), seeds, tf.uint8)
    )()
    halves = tf.split(tf.cast(found, tf.float32), 2, axis=2)
    left, right = (tf.reduce_mean(half, axis=(1, 2, 3)) for half in halves)
    return np.count_nonzero(left > right)


@pytest.mark.parametrize("name", ["pad_crop", "cifar", "area_crop"])
def test_half_of_the_images_are_mirrored_where_the_row_says_so(name):
    ramp = np.linspace(0, 250, 32).astype(np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (32, 32, 1))
    count = _mirrored(name, 400, image)
    if augmentations.augmentation(name).flips:
        assert 160 < count < 240  # 4 standard deviations
    else:
        assert count == 0


def test_parts_of_an_augmentation_draw_independent_numbers():
    recipe = _recipe("area_crop_color")
    draws = training_views.draw(tf.range(5000, dtype=tf.int64), recipe)
    table = np.concatenate([part.numpy() for part in draws.values()], axis=1)
    correlation = np.corrcoef(table.T) - np.eye(table.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)


def test_colours_follow_the_crop_and_are_rounded_once():
    image = photograph("flower.jpg", 64, 48)
    for seed in SEEDS:
        plain = training_views.augment(image, seed, _recipe("scale_crop"), FILL)
        tinted = training_views.augment(image, seed, _recipe("imagenet"), FILL)
        draws = training_views.draw(seed, _recipe("imagenet"))["pca"]
        expected = colors.pca(tf.cast(plain, tf.float32), draws)
        difference = np.abs(tinted - expected.numpy())
        assert difference.max() <= 1.001  # `plain` is already rounded
        assert not np.array_equal(tinted, plain)


def test_padding_is_the_mean_colour():
    image = np.zeros((32, 32, 3), np.uint8)
    recipe = _recipe("cifar", eval_resize=32)
    found = set()
    for seed in range(30):
        crop = training_views.augment(
            image, tf.constant(seed, tf.int64), recipe, FILL
        )
        found |= {tuple(pixel) for pixel in crop.numpy().reshape(-1, 3)}
    assert found == {(0, 0, 0), (123, 116, 103)}


def test_unknown_augmentation_names_the_nearest():
    with pytest.raises(errors.UsageError, match="Did you mean 'imagenet'"):
        augmentations.augmentation("imagnet")
