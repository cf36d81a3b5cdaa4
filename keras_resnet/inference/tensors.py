"""Pixels 0..255 as the input of a file takes them, and what its output says.

Files come from elsewhere too. If their types and scales leave something open,
they are refused: a guess would be a wrong answer.
"""

import threading
import warnings

import numpy as np

from keras_resnet.errors import require
from keras_resnet.inference.artifact import EMBEDDING
from keras_resnet.inference.artifact import PROBABILITIES

# Types that hold 0..255 themselves.
_AS_IS = ("float16", "float32", "float64", "uint8")


def places(shape):
    """(batch, S) of an input shape; None where a size is free.

    Raises:
        keras_resnet.UsageError: unless it is (batch, S, S, 3).
    """
    shape = [n if _is_fixed(n) else None for n in shape]
    require(
        len(shape) == 4 and shape[1] == shape[2] and shape[3] == 3,
        "Expected a network of square RGB images, (batch, S, S, 3) with the "
        f"channels last. Received: input shape {tuple(shape)}.",
    )
    return shape[0] and int(shape[0]), shape[1] and int(shape[1])


def _is_fixed(size):
    return isinstance(size, int | np.integer) and size > 0


def features(shapes):
    """The outputs of a network that is no classifier: a tuple of names.

    It is empty for a classifier. A classifier has an output "probabilities", or
    only one output, of two dimensions, that is not called "embedding".

    Args:
        shapes: {name of an output: its shape}.
    """
    if PROBABILITIES in shapes:
        return ()
    ((name, shape), *others) = shapes.items()
    alone = not others and len(shape) == 2 and name != EMBEDDING
    return () if alone else tuple(shapes)


def parts(images, batch):
    """All images at once, or batches, the last one filled up with copies."""
    if batch is None:
        return [images]
    lacking = -len(images) % batch
    whole = np.concatenate([images, images[-1:].repeat(lacking, 0)])
    return np.split(whole, len(whole) // batch)


def as_is(name):
    """The NumPy dtype, by its name, of an input that takes pixels as they are.

    Raises:
        keras_resnet.UsageError: for any other than floats and uint8.
    """
    require(
        name in _AS_IS,
        f"Expected an input of pixels 0..255, of the type {', '.join(_AS_IS)}."
        f" Received: {name}.",
    )
    return np.dtype(name)


def cast(images, dtype):
    """float32 pixels as another dtype; rounded for integers."""
    if np.issubdtype(dtype, np.integer):
        return _within(_nearest(images), dtype)
    return images.astype(dtype, copy=False)


def _nearest(values):
    """The nearest whole numbers, halves away from zero as in LiteRT."""
    return np.trunc(values + np.copysign(np.float32(0.5), values))


def _within(values, dtype):
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


# onnxruntime says "tensor(float)", all others what NumPy says.
_ONNX_DTYPES = {"float": "float32", "double": "float64"}


def onnx_dtype(type):
    """NumPy's name for the type of an ONNX tensor."""
    name = type.removeprefix("tensor(").removesuffix(")")
    return _ONNX_DTYPES.get(name, name)


def to_tflite(details):
    """A function from float32 (B, S, S, 3) pixels to a TFLite file's input.

    A quantised input gets round(pixel / scale) + zero point, within the range
    of its type. `details` are those of the tensor from LiteRT's interpreter.

    Raises:
        keras_resnet.UsageError: if type and scale do not say how.
    """
    dtype = np.dtype(details["dtype"])
    scale, zero_point = _quantisation(details)
    if scale is None or not np.issubdtype(dtype, np.integer):
        dtype = as_is(dtype.name)
        return lambda images: cast(images, dtype)
    return lambda images: _within(_nearest(images / scale) + zero_point, dtype)


def from_tflite(details):
    """A function from a TFLite file's output (B, K) to float32 probabilities.

    `details` and errors are as in `to_tflite`.
    """
    dtype = np.dtype(details["dtype"])
    scale, zero_point = _quantisation(details)
    if scale is None:
        check_probabilities(dtype.name)
        return lambda output: output.astype(np.float32)
    return lambda output: (output.astype(np.float32) - zero_point) * scale


def check_probabilities(name):
    """Raises `UsageError` unless a type can hold probabilities as they are."""
    require(
        name.startswith("float"),
        "Expected an output of probabilities: floats, or integers with a "
        f"scale. Received: {name} without one.",
    )


def _quantisation(details):
    """(scale, zero point) of a tensor as a whole; (None, None) without."""
    found = details["quantization_parameters"]
    scales, zero_points = found["scales"], found["zero_points"]
    if not len(scales) or not np.any(scales):
        return None, None
    require(
        len(scales) == 1 and np.isfinite(scales[0]) and scales[0] > 0,
        f"Expected one scale above 0 for all of {details['name']!r}. "
        f"Received: {scales[:5]}.",
    )
    return np.float32(scales[0]), int(zero_points[0])


_warned = threading.Event()


def warn_of_unit_range(images):
    """Warns, once per process, of images that seem scaled to [0, 1].

    Args:
        images: array (..., H, W, C). Integers and black images say nothing.
    """
    if _warned.is_set() or not _is_unit_range(np.asarray(images)):
        return
    _warned.set()
    warnings.warn(
        "The pixels of these images are floats in [0, 1], but a network takes "
        "RGB of 0..255 and normalises it itself. Multiply them by 255.",
        stacklevel=3,
    )


def _is_unit_range(images):
    if not np.issubdtype(images.dtype, np.floating) or not images.size:
        return False
    return bool(images.min() >= 0 and 0 < images.max() <= 1)
