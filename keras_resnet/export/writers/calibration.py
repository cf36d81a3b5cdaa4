"""Images that show the ranges of the activations to an int8 converter."""

import numpy as np

from keras_resnet.errors import require


def check(images, card):
    """Raises `UsageError` unless images can calibrate a card's model."""
    shape = np.shape(images) if images is not None else None
    size = card.image_size
    require(
        shape is not None and len(shape) == 4 and shape[0] > 0,
        "int8 needs calibration images: evaluation views of real ones, uint8 "
        f"(N, {size}, {size}, 3), 200 or more. Received: "
        f"{'none' if shape is None else f'shape {shape}'}.",
    )
    require(
        shape[1:] == (size, size, 3) and images.dtype == np.uint8,
        f"Calibration images must be uint8 (N, {size}, {size}, 3). Received: "
        f"{images.dtype} {shape}.",
    )


def with_all_values(images):
    """A copy of the images, uint8 (N, H, W, 3), with pixels of 0 and of 255.

    A converter takes the range of the input from what it sees. A quantised
    pixel is the pixel itself only if that range is 0..255.
    """
    images = np.array(images)
    images[0, 0, 0], images[0, 0, -1] = 0, 255
    return images
