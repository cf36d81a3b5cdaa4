"""Arrays of 0..1 for a network that takes 0..255 give one warning."""

import threading
import warnings

import numpy as np
import pytest

from keras_resnet import errors
from keras_resnet.data.examples import splits
from keras_resnet.inference import predictors
from keras_resnet.inference import tensors


class _Mean(predictors.Predictor):
    """Answers with the mean of the pixels; the test is of its base class."""

    format, image_size = "mean", None

    def _predict(self, images):
        assert images.dtype == np.float32
        return images.mean(axis=(1, 2, 3))[:, np.newaxis]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(tensors, "_warned", threading.Event())


UNIT = np.random.default_rng(0).random((2, 4, 4, 3))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_predictor_warns_once_and_answers(dtype):
    with pytest.warns(UserWarning, match="RGB of 0..255") as found:
        _Mean().predict(UNIT.astype(dtype))
        answer = _Mean().predict(UNIT.astype(dtype))
    assert len(found) == 1
    np.testing.assert_allclose(
        answer[:, 0], UNIT.mean(axis=(1, 2, 3)), atol=1e-3
    )


@pytest.mark.parametrize(
    "images",
    [
        255 * UNIT,
        0 * UNIT,
        UNIT - 0.5,
        (255 * UNIT).astype(np.uint8),
        (UNIT > 0.5).astype(np.uint8),
        (1.01 * UNIT / UNIT.max()),
    ],
    ids=["0..255", "black", "signed", "uint8", "dark uint8", "above 1"],
)
def test_other_images_are_not_warned_of(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _Mean().predict(images)


def test_examples_in_memory_are_uint8():
    with pytest.raises(errors.UsageError, match="Received: float64"):
        splits.Split.from_arrays(UNIT, [0, 0])
    images = (255 * UNIT).astype(np.uint8)
    assert splits.Split.from_arrays(images, [0, 0]).num_examples == 2
