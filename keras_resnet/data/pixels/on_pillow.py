"""Pictures read by Pillow: the pixels of `decoding` and `transforms`.

Classifying a few pictures then needs no import of TensorFlow, which takes five
seconds.
"""

import contextlib
import io

import numpy as np

from keras_resnet.data.examples import pillow
from keras_resnet.data.pixels import headers

# Whole files of these give the same pixels, bit for bit. In a GIF TensorFlow
# finds damage that Pillow does not.
_FORMATS = ("jpeg", "png", "bmp", "webp")


def decode(encoded, exif):
    """The pixels of a file, as `decoding.decode` has them.

    Args:
        encoded: bytes.
        exif: key of `labels.view.EXIF`.

    Returns:
        uint8 (H, W, 3); None where only TensorFlow can say: for another format
        and for a file that Pillow cannot decode.

    Raises:
        BadImageError: if `headers.read` refuses it.
    """
    header = headers.read(encoded)
    if header.format not in _FORMATS or header.bits != 8:
        return None
    image = headers.plugins()[header.format](io.BytesIO(encoded))
    with contextlib.suppress(OSError, ValueError):
        return pillow.pixels(image, exif)
    return None


def evaluation(image, view):
    """As `transforms.evaluation`, with pixel values that differ by 1 at most.

    Args:
        image: uint8 (H, W, 3).
        view: `labels.view.View`.

    Returns:
        uint8 (S, S, 3).
    """
    from PIL import Image

    top, left, bottom, right = view.part(*image.shape[:2])
    size, box = (view.crop, view.crop), (left, top, right, bottom)
    channels = [
        Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR, box)
        for channel in np.moveaxis(image.astype(np.float32), 2, 0)
    ]
    # Rounds half upwards.
    return (np.stack(channels, axis=2) + np.float32(0.5)).astype(np.uint8)
