"""The eight orientations: every reader turns a picture, or none does."""

import dataclasses
import functools
import io

import exif_files
import numpy as np
import odd_images
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from keras_resnet import recipes
from keras_resnet.data import pipeline
from keras_resnet.data.examples import splits
from keras_resnet.data.examples.splits import Split
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import orientations
from keras_resnet.data.pixels import parts
from keras_resnet.data.pixels import transforms
from keras_resnet.data.pixels import windows
from keras_resnet.errors import UsageError
from keras_resnet.inference import pictures
from keras_resnet.inference import streams
from keras_resnet.labels import cards
from keras_resnet.labels.view import View

EIGHT = range(1, 9)
FILES = [exif_files.turned(orientation) for orientation in EIGHT]


def _files():
    return Split.from_arrays(FILES, 8 * [0], class_names=["a"])


def _source():
    """Pillow's images; every other one has lost its format."""
    images = [Image.open(io.BytesIO(file)) for file in FILES]
    images[::2] = [image.convert("RGB") for image in images[::2]]
    source = [(image, 0) for image in images]
    split = Split.from_source(source, class_names=["a"])
    return splits.select(split, np.arange(8))


def _evaluation(recipe, split):
    view = View.of(recipe)
    (batch,) = pipeline.eval_dataset(split, view, batch_size=8)
    return batch["image"].numpy()


def _training(recipe, split):
    fill = (0.0, 0.0, 0.0)
    (batch,) = pipeline.train_dataset(split, recipe, fill=fill)
    return batch["image"].numpy()


def _prediction(recipe, folder):
    card = cards.Card.of_run(recipe, ("a", "b"))
    for number, file in enumerate(FILES):
        (folder / f"{number}.jpg").write_bytes(file)
    view, files = View.of(card), [folder / f"{n}.jpg" for n in range(8)]
    read = [pictures.read(file, view) for file in files]
    for file, seen in zip(files, read, strict=True):
        with Image.open(file) as opened:
            of_pillow = pictures.read(opened, view)
        differ = np.abs(of_pillow.astype(int) - seen)
        assert differ.mean() < 1  # two decoders
    return read


def _bytes(recipe):
    """The views that serve_bytes of a SavedModel makes."""
    card = cards.Card.of_run(recipe, ("a", "b"))
    view = tf.function(streams.viewer(View.of(card)))
    return [view(tf.constant(file)).numpy() for file in FILES]


def test_every_reader_sees_the_same_picture(tmp_path):
    fields = {"augmentation": "none", "batch_size": 8, "steps": 1}
    fields |= {"image_size": 32, "eval_resize": 36, "exif": "apply"}
    recipe = recipes.load("digits", fields)
    pictures = [exif_files.upright(file) for file in FILES]  # by Pillow
    for file, picture in zip(FILES, pictures, strict=True):
        np.testing.assert_array_equal(decoding.decode(file, "apply"), picture)
    view = View.of(recipe)
    expected = [transforms.evaluation(p, view).numpy() for p in pictures]
    for found in (
        _evaluation(recipe, _files()),
        _evaluation(recipe, _source()),
        _bytes(recipe),
    ):
        np.testing.assert_array_equal(found, expected)
    found = np.array(_prediction(recipe, tmp_path), int)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)
    # Training takes the pictures in its own order.
    ignoring = dataclasses.replace(recipe, exif="ignore")
    for split in (_files(), _source()):
        found = sorted(view.tobytes() for view in _training(recipe, split))
        assert found == sorted(view.tobytes() for view in expected)
        # Negative control: without the choice all but the first are wrong.
        found = _evaluation(ignoring, split)
        np.testing.assert_array_equal(found, 8 * [expected[0]])
    assert len({view.tobytes() for view in expected}) == 8


@functools.cache
def _photograph(*size):
    image = Image.fromarray(load_sample_image("china.jpg")).resize(size)
    return odd_images.encode(image, "JPEG", quality=98, subsampling=0)


@pytest.mark.parametrize(
    "size, pixels, apart",
    [
        # Not shrunk by the decoder: bit for bit.
        pytest.param((400, 304), 160, 0, marks=pytest.mark.large),
        ((301, 203), 110, 0),
        # Shrunk by the decoder's blocks; the upright pixels by square means.
        ((640, 480), 48, 2),
    ],
)
def test_a_window_is_that_of_the_upright_picture(size, pixels, apart):
    draws = np.random.default_rng(0).random((2, 3), np.float32)

    @tf.function(reduce_retracing=True)
    def read(source, draws, exif):
        shorter = pixels + 10
        window = functools.partial(
            windows.scale_crop,
            draws=draws,
            low=shorter,
            high=2 * shorter,
            pixels=pixels,
        )
        return parts.read(source, window, pixels, exif)

    for orientation in EIGHT:
        file = exif_files.turned(orientation, _photograph(*size))
        # Windows use the same decoder.
        upright = orientations.turn(
            tf.io.decode_jpeg(file), tf.constant(orientation)
        )
        for some in draws:
            expected = read(upright, some, "apply")
            found = read(tf.constant(file), some, "apply")
            assert np.abs(found - expected).mean() <= apart
            stored = read(tf.constant(file), some, "ignore")
            if orientation > 1:
                assert np.abs(stored - expected).mean() > 10


@pytest.mark.parametrize("name", exif_files.UNUSUAL)
def test_unusual_notes(name):
    file, orientation = exif_files.UNUSUAL[name]
    assert orientations.read(tf.constant(file), "apply").numpy() == orientation


def test_damaged_notes_turn_a_picture_or_not_but_never_fail():
    rng, file = np.random.default_rng(0), exif_files.turned(6)
    read = tf.function(lambda file: orientations.read(file, "apply"))
    found = []
    for _ in range(300):
        mutant = bytearray(file[: rng.integers(1, 60)] + file[60:])
        for place in rng.integers(2, min(50, len(mutant)), 2):
            mutant[place] = rng.integers(256)
        found.append(read(tf.constant(bytes(mutant))).numpy())
    assert {1, 6} <= set(found) <= set(EIGHT)


def test_png_and_webp_are_not_turned():
    image = odd_images.photograph(64, 48)
    for kind in ("PNG", "WEBP"):
        file = odd_images.encode(image, kind, exif=odd_images.exif(6))
        assert decoding.decode(file, "apply").shape == (48, 64, 3)


def test_a_card_without_the_field_ignores_notes():
    fields = b'{"image_size": 8, "eval_resize": 8}'
    assert cards.card_of(b"a\nb\n", fields, "here").exif == "ignore"
    with pytest.raises(UsageError, match="Did you mean 'apply'"):
        cards.card_of(b"a\nb\n", fields[:-1] + b', "exif": "aply"}', "here")
