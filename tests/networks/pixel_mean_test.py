"""A mean image in place of a mean colour: P1 sec. 3.4 and 4.2."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from exported_networks import card_of
from exported_networks import digits
from exported_networks import randomize

import keras_resnet
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.evaluation import views
from keras_resnet.export import pipeline as export_pipeline
from keras_resnet.export.formats import FORMATS
from keras_resnet.export.formats import Options
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.labels.view import View
from keras_resnet.training import mean_image
from keras_resnet.training import run
from keras_resnet.weights import transfer

SIZE = 8  # the digits' own, so that a view is the image itself
SMALL = {"depths": (1,), "filters": (16,), "classes": 10}
RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    pixel_mean="image",
    depths=(1,),
    filters=(16,),
    image_size=SIZE,
    eval_resize=SIZE,
    pad_pixels=1,
    batch_size=32,
    steps=4,
    boundaries=(3,),
    eval_every_steps=4,
    checkpoint_every_steps=2,
)


def _image(size):
    return np.random.default_rng(0).uniform(0, 255, (size, size, 3))


def _build(mean, variant="resnet20", size=16, **choices):
    keras.utils.set_random_seed(0)
    choices = {**SMALL, "input_shape": (size, size, 3), **choices}
    model = keras_resnet.build(variant, pixel_mean=mean, **choices)
    randomize(model)
    return model


def _pixels(count=4, size=16):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (count, size, size, 3), "uint8")


# The model.


def test_the_mean_is_subtracted_at_each_place():
    mean = _image(16)
    layer = _build(mean, pixel_std=(2.0, 3.0, 4.0)).get_layer("pixels")
    images = _pixels()
    expected = (images - mean) / np.array([2.0, 3.0, 4.0])
    np.testing.assert_allclose(layer(images), expected, atol=1e-4)


def test_an_image_of_one_colour_is_that_colour():
    color = (120.0, 110.0, 100.0)
    image = np.broadcast_to(color, (16, 16, 3))
    ours, theirs = _build(image), _build(color)
    x = _pixels()
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)
    np.testing.assert_allclose(ours.get_layer("pixels").mean_color, color)
    # The compared outputs depend on the mean.
    assert np.abs(_build(_image(16))(x) - theirs(x)).max() > 1e-3


@pytest.mark.parametrize(
    "mean_size, input_shape", [(16, (None, None, 3)), (16, (24, 24, 3))]
)
def test_other_sizes_than_the_means_are_refused(mean_size, input_shape):
    with pytest.raises(keras_resnet.UsageError, match="input_shape"):
        _build(_image(mean_size), input_shape=input_shape)


def test_whole_images_of_any_size_are_refused():
    with pytest.raises(keras_resnet.UsageError, match="center or ten_crop"):
        views.any_size(_build(_image(16)))
    views.any_size(_build((1.0, 2.0, 3.0)))


def test_a_mean_image_is_not_made_grey():
    rgb = _build(_image(16))
    grey = _build((0.0,), input_shape=(16, 16, 1))
    with pytest.raises(keras_resnet.UsageError, match="mean image"):
        transfer.grey_from_rgb(grey, rgb)


@pytest.mark.parametrize("variant", ["resnet20", "resnet110_v2"])
def test_bn_after_the_first_convolution_takes_away_a_common_scale(variant):
    """Why a mean image needs no deviation: the same function and gradients."""
    images, labels = tf.constant(_pixels(16)), np.arange(16) % 10

    def gradients(std):
        model = _build(_image(16), variant, pixel_std=std)
        with tf.GradientTape() as tape:
            predicted = model(images, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(
                labels, predicted
            )
            loss = tf.reduce_mean(losses)
        kernels = [model.trainable_variables[0].value]
        return predicted, tape.gradient(loss, kernels)[0]

    (one, kernel), (other, same), (third, another) = map(
        gradients, [(1.0,) * 3, (64.0,) * 3, (64.0, 64.0, 32.0)]
    )
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(kernel, same, atol=1e-3 * np.abs(kernel).max())
    assert np.abs(third - one).max() > 1e-3
    assert np.abs(another - kernel).max() > 1e-2 * np.abs(kernel).max()


# The image.


def test_every_example_counts_once():
    split = datasets.load("digits", "validation")
    images, _ = digits(split.num_examples, "validation")
    expected = np.mean(images, axis=0, dtype="float64")
    mean = mean_image.compute(split, View(resize=SIZE, crop=SIZE))
    assert split.num_examples % 256, "a last batch that is filled"
    np.testing.assert_array_equal(mean, expected)
    assert np.ptp(expected) > 50


def test_masked_images_do_not_count():
    split = datasets.load("digits", "validation")
    keep = np.arange(split.num_examples) != 5

    def read(index):
        image, label = split.read(index)
        with tf.control_dependencies([tf.debugging.Assert(index != 5, ["x"])]):
            return tf.identity(image), label

    damaged = dataclasses.replace(split, read=read)
    masked = bad_images.MaskedImages(damaged, 3, None)
    mean = mean_image.compute(
        damaged, View(resize=SIZE, crop=SIZE), masked=masked
    )
    images, _ = digits(split.num_examples, "validation")
    expected = np.array(images)[keep].mean(axis=0, dtype="float64")
    np.testing.assert_array_equal(mean, expected)
    assert np.abs(np.mean(images, axis=0) - expected).max() > 0.1


# A run.


@pytest.fixture(scope="module")
def fills():
    """The colours that padding had in the run."""
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, fills):
    workdir = tmp_path_factory.mktemp("run")
    train_dataset = pipeline.train_dataset

    def spy(*args, fill, **kwargs):
        fills.append(fill)
        return train_dataset(*args, fill=fill, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "train_dataset", spy)
        run.train_and_evaluate(RECIPE, workdir)
    return workdir


def _model(workdir):
    return keras.saving.load_model(workdir / "model.keras")


def _digits_mean():
    images, _ = digits(1438, "train")
    return np.mean(images, axis=0, dtype="float64").astype("float32")


def test_a_run_subtracts_the_mean_of_its_training_images(finished, fills):
    pixels = _model(finished).get_layer("pixels")
    np.testing.assert_array_equal(pixels.mean, _digits_mean())
    np.testing.assert_array_equal(pixels.std, np.ones(3))
    assert fills
    for fill in fills:
        np.testing.assert_allclose(fill, _digits_mean().mean((0, 1)), 1e-6)


def test_a_resumed_run_has_the_image_of_its_checkpoint(
    finished, tmp_path, monkeypatch
):
    """The run does not compute the image again, and it decides the result."""
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    shutil.rmtree(workdir / "checkpoints" / "step-00000004")
    (workdir / "model.keras").unlink()
    monkeypatch.setattr(mean_image, "compute", None)
    run.train_and_evaluate(RECIPE, workdir)
    for ours, theirs in zip(
        _model(workdir).variables, _model(finished).variables, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


# Its files.


@pytest.mark.parametrize(
    "formats, input_dtype",
    [
        (("tflite", "onnx"), "float32"),
        pytest.param(
            tuple(name for name in FORMATS if name != "web"),
            "uint8",
            marks=pytest.mark.large,
        ),
    ],
)
def test_every_format_subtracts_the_image(
    finished, formats, input_dtype, tmp_path
):
    model = _model(finished)
    card, (images, labels) = card_of(model, eval_resize=SIZE), digits(8)
    export_pipeline.export_all(
        model,
        tmp_path,
        card=card,
        formats=formats,
        images=images,
        labels=labels,
        options=Options(
            input_dtype=input_dtype,
            resize=input_dtype == "uint8",
            calibration=evaluation_views(digits(200, "train")[0], card),
        ),
        predict=isolated.predict,
    )
    # The files were compared with the model, and its answers need the image.
    model_views = evaluation_views(images, card)
    right = model(model_views)
    pixels = model.get_layer("pixels")
    pixels.mean.assign(np.broadcast_to(pixels.mean_color, (SIZE, SIZE, 3)))
    assert np.abs(model(model_views) - right).max() > 1e-2
