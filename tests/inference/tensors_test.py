"""Pixels as the steps of a TFLite input, and steps as probabilities."""

import numpy as np
import pytest

from keras_resnet.errors import UsageError
from keras_resnet.inference import tensors


def _details(dtype, scales=(), zero_points=()):
    return {
        "name": "images",
        "dtype": dtype,
        "quantization_parameters": {
            "scales": np.array(scales, np.float32),
            "zero_points": np.array(zero_points, np.int32),
        },
    }


@pytest.mark.parametrize(
    "details, given, expected",
    [
        (_details(np.int8, [1], [-128]), [0, 128, 255], [-128, 0, 127]),
        (_details(np.int8, [0.5], [-10]), [0, 3, 255], [-10, -4, 127]),
        (_details(np.int8, [2], [-128]), [1, 3, 255], [-127, -126, 0]),
        (_details(np.uint8, [2], [10]), [0, 5, 255], [10, 13, 138]),
        (_details(np.int16, [1 / 128], [0]), [0, 1, 255], [0, 128, 32640]),
        # Without a scale they are rounded, not cut.
        (_details(np.uint8), [-3, 0.4, 0.6, 12.7, 256], [0, 0, 1, 13, 255]),
    ],
)
def test_pixels_become_steps(details, given, expected):
    """round(pixel / scale) + zero point, in the range of the type."""
    steps = tensors.to_tflite(details)(np.array(given, np.float32))
    assert steps.dtype == details["dtype"]
    assert steps.tolist() == expected


@pytest.mark.parametrize(
    "details, message",
    [
        (_details(np.int8), "Received: int8"),
        (_details(np.complex64), "Received: complex64"),
        (_details(np.int8, [1, 2], [0, 0]), "one scale above 0 for all of"),
        (_details(np.int8, [-1], [0]), "one scale above 0"),
        (_details(np.int8, [np.nan], [0]), "one scale above 0"),
    ],
)
def test_an_input_that_does_not_say_how_is_refused(details, message):
    with pytest.raises(UsageError, match=message):
        tensors.to_tflite(details)


def test_an_output_means_what_its_file_says():
    from_ = tensors.from_tflite(_details(np.int8, [1 / 256], [-128]))
    given = np.array([[-128, 0, 127]], np.int8)
    np.testing.assert_array_equal(from_(given), [[0, 0.5, 255 / 256]])
    for dtype in (np.int8, np.uint8, np.int64):
        with pytest.raises(UsageError, match="without one"):
            tensors.from_tflite(_details(dtype))
