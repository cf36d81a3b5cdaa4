"""A real network's report agrees with its evaluation, on any devices."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_resnet
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.evaluation import reports
from keras_resnet.labels.view import View

VIEW = View(resize=16, crop=16)


@pytest.fixture(scope="module")
def split():
    """50 of the digits, so that the last batch is not full."""
    from keras_resnet.data.examples import splits

    return splits.evenly_spaced(datasets.load("digits", "validation"), 50)


def _model(classes=10):
    keras.utils.set_random_seed(0)
    return keras_resnet.build(
        "resnet20",
        depths=(1, 1),
        filters=(16, 16),
        input_shape=(16, 16, 3),
        classes=classes,
    )


@pytest.fixture(scope="module")
def model():
    return _model()


@pytest.fixture(scope="module")
def alone(model, split):
    return reports.make(model, VIEW, split, batch_size=16)


def test_it_counts_every_example_once(alone, model, split):
    pixels = np.stack([split.read(i)[0] for i in range(50)])
    resized = tf.image.resize(pixels, (16, 16), antialias=True)
    answers = np.argmax(model(np.round(resized)), axis=1)
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (split.labels, answers), 1)
    np.testing.assert_array_equal(alone.confusion, expected)
    metrics = alone.metrics
    assert metrics.num_examples == 50 == alone.bins[:, 0].sum()
    assert metrics.top1_accuracy == np.trace(expected) / 50 < 0.5


def test_two_devices_make_the_same_report(alone, split):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = _model()
    both = reports.make(model, VIEW, split, batch_size=16, strategy=strategy)
    np.testing.assert_array_equal(both.confusion, alone.confusion)
    np.testing.assert_allclose(both.bins, alone.bins, rtol=1e-5)
    assert [m.index for m in both.mistakes] == [m.index for m in alone.mistakes]


def test_a_mistake_has_the_pixels_that_the_network_saw(alone, model, split):
    first = alone.mistakes[0]
    assert first.name == split.describe(first.index)
    seen = np.asarray(Image.open(io.BytesIO(first.image)))
    assert seen.shape == (16, 16, 3)
    image = tf.image.resize(split.read(first.index)[0], (16, 16))
    assert np.abs(seen - np.asarray(image)).mean() < 20
    probabilities = model(seen[np.newaxis].astype(np.float32))
    np.testing.assert_allclose(
        np.max(probabilities), first.probability, rtol=1e-4
    )


def test_masked_images_count_for_nothing(dirty):
    split = datasets.load(f"folder:{dirty}", "train")
    masked = bad_images.MaskedImages(split, 99)
    model = _model(len(split.class_names))
    found = reports.make(model, VIEW, split, batch_size=16, masked=masked)
    good = split.num_examples - len(masked)
    assert 0 < good < split.num_examples
    assert found.confusion.sum() == found.metrics.num_examples == good


def test_the_page_shows_names_as_text_and_needs_no_network(alone, tmp_path):
    alone.save(tmp_path / "report.html")
    alone.save(tmp_path / "report.json")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == len(alone.mistakes) == 24
    assert "http" not in page and "<script" not in page
    assert f"Accuracy {alone.metrics.top1_accuracy:.2%}" in page
    assert (tmp_path / "report.json").read_text() == alone.to_json()
