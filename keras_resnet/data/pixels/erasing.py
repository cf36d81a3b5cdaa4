"""Random erasing (Zhong et al. 2020, arXiv 1708.04896), as in torchvision."""

import tensorflow as tf

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import windows

AREA = (0.02, 0.33)
ASPECT = (0.3, 3.3)  # height over width
DRAWS = 1 + 2 * windows.ATTEMPTS + 2


def apply(pixels, draws, probability, fill):
    """With a probability, fills a rectangle of an image with the mean colour.

    Published training erases after the mean is subtracted, to zero; that is
    the mean colour, up to its rounding to uint8.

    Args:
        pixels: uint8 (S, S, 3).
        draws: float32 (DRAWS,), uniform.
        probability: float, 0 to 1.
        fill: 3 floats, the mean colour.

    Returns:
        uint8 (S, S, 3).
    """

    def erased():
        top, left, height, width = tf.unstack(box(pixels.shape[0], draws[1:]))
        color = colors.to_uint8(tf.constant(fill, tf.float32))
        block = tf.tile(color[tf.newaxis, tf.newaxis], [height, width, 1])
        # Concatenated: choosing pixel by pixel is slow.
        rows = pixels[top : top + height]
        rows = tf.concat([rows[:, :left], block, rows[:, left + width :]], 1)
        found = tf.concat([pixels[:top], rows, pixels[top + height :]], 0)
        return tf.ensure_shape(found, pixels.shape)

    return tf.cond(draws[0] < probability, erased, lambda: pixels)


def box(side, draws):
    """The rectangle, of random area and aspect.

    Args:
        side: int, of the image, S.
        draws: float32 (DRAWS - 1,), uniform.

    Returns:
        int32 (4,): top, left, height, width; height and width are 0 if none
        of `windows.ATTEMPTS` is smaller than the image each way.
    """
    heights, widths, place = windows.rectangles(
        draws, side * side, AREA, ASPECT
    )
    fits = (heights < side) & (widths < side)
    extent = windows.first_of(fits, heights, widths)
    extent *= tf.cast(tf.reduce_any(fits, -1, keepdims=True), tf.float32)
    corner = tf.floor(place * (side - extent + 1))
    return tf.cast(tf.concat([corner, extent], axis=-1), tf.int32)
