"""Proves that the network of an export is the model, before it is written.

Both get a few random images and must give the same values, layer by layer. This
also refuses what no rule foresaw: a layer whose config leaves something out, or
one that mixes the images of a batch.
"""

import keras
import numpy as np

from keras_resnet.errors import require
from keras_resnet.export.folding import graph
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.folding.copies import is_float32
from keras_resnet.inference import tensors as tensors_lib
from keras_resnet.networks.operations import PixelNormalization

# RMS of a difference, in standard deviations of what the model's layer gives.
# Float32 arithmetic in another order makes 1e-6, and 7e-5 in an untrained plain
# network of 110 layers.
BOUND = 1e-3

# Half precision itself makes several percent in deep networks. Wrong weights
# make 1.4: their values have nothing to do with the model's.
HALF_PRECISION_BOUND = 0.5

_NUM_IMAGES = 3

# exp() may flush smaller probabilities to zero.
_SMALLEST = 1e-30


def check(model, copy, image_size, probabilities=True):
    """Raises `UsageError` unless a copy computes what a model does.

    The model takes RGB images of `image_size`, (H, W), and gives probabilities
    or features. The copy has the same graph and takes any batch. It computes in
    float32, or in bfloat16 with a wider bound.
    """
    images = _images(image_size)
    reference = model
    if not is_float32(model):
        reference = float32_copy(model)
        _compare(model, reference, images, HALF_PRECISION_BOUND, probabilities)
    bound = BOUND if is_float32(copy) else HALF_PRECISION_BOUND
    _compare(reference, copy, images, bound, probabilities)


def _images(image_size):
    """float32 (N, H, W, 3) of noise, 0..255, whose colours differ too."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 255, (_NUM_IMAGES, *image_size, 3))
    colors = rng.uniform(0, 1, (_NUM_IMAGES, 1, 1, 3))
    return (noise * colors).astype(np.float32)


def _compare(model, copy, images, bound, probabilities=True):
    pairs = _comparable(graph.network(model), graph.network(copy))
    theirs, ours = zip(*pairs, strict=True)
    parts = tensors_lib.parts(images, model.inputs[0].shape[0])
    expected = _values(model, theirs, parts, probabilities)
    # One image, then the others: an export takes any batch.
    halves = (images[:1], images[1:])
    actual = _values(copy, ours, halves, probabilities)
    for tensor, *values in zip(theirs, expected, actual, strict=True):
        if values[0].shape[1:] != values[1].shape[1:]:
            continue  # the copy computes only a part of this map
        if bound == HALF_PRECISION_BOUND and not np.isfinite(values[0]).all():
            return  # What overflows in float16 says nothing.
        difference = _difference(*values)
        # Not `>`: NaN must not pass.
        require(
            difference <= bound,
            "The exported network would not be the model, so it is not "
            f"written: for random images, layer {graph.producer(tensor).name!r}"
            f" gives values that differ by {difference:.2g} standard "
            f"deviations, more than {bound:g}. A layer's get_config() must "
            "hold all that it is, and a layer must give finite numbers, the "
            "same ones for an image whatever else is in the batch.",
        )


def _comparable(model, copy):
    """[(tensor of a model, that of its copy)], in the order of layers.

    Pixels are left out, because a folded network divides them later. The layers
    that read them are compared.
    """
    return [
        (theirs.outputs[0], ours.outputs[0])
        for theirs, ours in zip(
            graph.nodes(model), graph.nodes(copy), strict=True
        )
        if len(theirs.outputs) == 1
        and not theirs.is_input
        and not isinstance(theirs.operation, PixelNormalization)
    ]


def _values(model, tensors, parts, probabilities):
    """float32 arrays: a model's values at tensors; logs of probabilities."""
    network = graph.network(model)
    taps = keras.Model(network.inputs, list(tensors))
    found = [
        taps(keras.ops.convert_to_tensor(p), training=False) for p in parts
    ]
    values = [
        np.concatenate([_numpy(value) for value in values])[:_NUM_IMAGES]
        for values in zip(*found, strict=True)
    ]
    return [
        _log(value) if probabilities and tensor is network.outputs[0] else value
        for tensor, value in zip(tensors, values, strict=True)
    ]


def _numpy(value):
    return keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))


def _log(probabilities):
    return np.log(np.maximum(probabilities, _SMALLEST))


def _difference(expected, actual):
    scale = max(
        expected.std(dtype=np.float64), 1e-3 * abs(expected).max(), _SMALLEST
    )
    square = np.square(actual - expected).mean(dtype=np.float64)
    return float(np.sqrt(square) / scale)
