"""What a network costs: multiply-adds, as P1 Table 1 counts them."""

import keras

from keras_resnet.errors import require
from keras_resnet.networks.layers import Chain
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import output_shape


def multiply_adds(model: keras.Model, image_size: int | None = None) -> int:
    """Multiply-adds of one image: convolutions and the classifier (P1 Table 1).

    Args:
        model: a model from `build`.
        image_size: pixels of a square image. Default: the model's own.

    Returns:
        int.
    """
    _, height, width, channels = model.input_shape
    if image_size is not None:
        height = width = image_size
    require(
        height and width,
        f"{model.name!r} takes images of any size: pass image_size.",
    )
    shape, total = (1, height, width, channels), 0
    for layer in model.layers[1:]:
        total += _multiply_adds(layer, shape)
        shape = layer.compute_output_shape(shape)
    return total


def _multiply_adds(layer, shape):
    if isinstance(layer, ResidualUnit):
        shared = output_shape(layer.before, shape)
        return sum(
            _chain_multiply_adds(layers, shared)
            for layers in (layer.branch, layer.shortcut_layers, layer.gate)
        )
    if isinstance(layer, Chain):
        return _chain_multiply_adds(layer.layers, shape)
    if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        return 0
    _, *positions, _ = layer.compute_output_shape(shape)
    total = 1
    for n in (*positions, *layer.kernel.shape):
        total *= n
    return total


def _chain_multiply_adds(layers, shape):
    total = 0
    for layer in layers:
        total += _multiply_adds(layer, shape)
        shape = layer.compute_output_shape(shape)
    return total
