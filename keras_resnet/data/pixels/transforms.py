"""Resizes and crops of decoded images; nothing here is random."""

import tensorflow as tf

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import decoding


def resize_shorter_side(image, pixels):
    """Resizes to a shorter side of `pixels`, keeping the aspect.

    Bilinear, and antialiased where it shrinks, as Pillow and torchvision do.

    Args:
        image: uint8 (H, W, 3).
        pixels: int or int32 scalar.

    Returns:
        uint8; the longer side is rounded down, as in torchvision.

    Raises:
        tf.errors.InvalidArgumentError: if the result has more than
            `decoding.MAX_PIXELS`.
    """
    size = _rectangle(tf.shape(image)[:2], pixels)
    decoding.refuse_if_too_large(size)
    resized = tf.image.resize(image, tf.cast(size, tf.int32), antialias=True)
    return colors.to_uint8(resized)


def _rectangle(size, pixels):
    # In int64: a strip of one pixel's width becomes long.
    size = tf.cast(size, tf.int64)
    return size * pixels // tf.reduce_min(size)


def evaluation(image, view, place=(1, 1)):
    """A square of what `resize_shorter_side` gives; the rest is not computed.

    Args:
        image: uint8 (H, W, 3), or (B, H, W, 3): images of one size.
        view: `labels.view.View`: the shorter side and S.
        place: 0, 1 or 2 from the top and 0, 1 or 2 from the left: at the
            first edge, in the middle (rounded down) or at the last edge.
            Default: the central square, which evaluation shows.

    Returns:
        uint8 (S, S, 3), or (B, S, S, 3).
    """
    size = view.crop
    image = tf.convert_to_tensor(image)
    images = image if image.shape.rank == 4 else image[tf.newaxis]
    height_width = tf.shape(images)[1:3]
    resized = _rectangle(height_width, view.resize)
    corner = (resized - size) * place // 2
    corner = tf.cast(corner, tf.float32)
    scale = tf.cast(resized, tf.float32) / tf.cast(height_width, tf.float32)
    # The source of the square, and as far around it as the filter reaches.
    reach = 1 / tf.minimum(scale, 1.0) + 1
    first = tf.maximum(tf.cast(corner / scale - reach, tf.int32), 0)
    last = tf.cast(tf.math.ceil((corner + size) / scale + reach), tf.int32)
    last = tf.minimum(last, height_width)
    squares = tf.raw_ops.ScaleAndTranslate(
        images=images[:, first[0] : last[0], first[1] : last[1]],
        size=[size, size],
        scale=scale,
        translation=tf.cast(first, tf.float32) * scale - corner,
        kernel_type="triangle",
        antialias=True,
    )
    squares = colors.to_uint8(squares)
    return squares if image.shape.rank == 4 else squares[0]


def pad_crop(images, corners, mirrored, padding, fill):
    """Pads every side, crops to the old size and maybe mirrors (P1 4.2).

    Args:
        images: uint8 (B, H, W, 3).
        corners: int32 (B, 2), of the crop in the padded image, each from 0 to
            2 * padding.
        mirrored: bool (B,).
        padding: int, pixels.
        fill: 3 floats: the mean colour, so that the padding is zero after
            the mean is subtracted, up to its rounding to uint8.

    Returns:
        uint8 (B, H, W, 3).
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows = corners[:, :1] - padding + tf.range(height)
    columns = corners[:, 1:] - padding + tf.range(width)
    columns = tf.where(
        mirrored[:, tf.newaxis], tf.reverse(columns, [1]), columns
    )
    images = _gather(images, rows, height, axis=1)
    images = _gather(images, columns, width, axis=2)
    inside = tf.logical_and(
        ((rows >= 0) & (rows < height))[:, :, tf.newaxis],
        ((columns >= 0) & (columns < width))[:, tf.newaxis],
    )
    fill = colors.to_uint8(tf.constant(fill, tf.float32))
    return tf.where(inside[..., tf.newaxis], images, fill)


def _gather(images, places, size, axis):
    places = tf.clip_by_value(places, 0, size - 1)
    return tf.gather(images, places, axis=axis, batch_dims=1)
