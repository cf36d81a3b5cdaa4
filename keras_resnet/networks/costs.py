"""What a network costs: multiply-adds, as P1 Table 1 counts them."""

import keras

from keras_resnet.errors import require
from keras_resnet.networks.operations import sum_multiply_adds


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
    return sum_multiply_adds(model.layers[1:], (1, height, width, channels))
