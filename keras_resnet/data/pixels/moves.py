"""Operations of augmentation policies that move pixels: uint8 (H, W, 3)."""

import typing

import tensorflow as tf

from keras_resnet.data.pixels import colors


class Canvas(typing.NamedTuple):
    """How pixels move.

    Attributes:
        fill: 3 ints of 0..255, the colour where no pixel moves to.
        interpolation: "nearest" or "bilinear".
    """

    fill: tuple[int, int, int]
    interpolation: str


def _shear_x(pixels, slope, canvas):
    """A row moves left by `slope` times its distance from the top edge."""
    return _affine(pixels, (1.0, slope, 0.0), (0.0, 1.0, 0.0), canvas)


def _shear_y(pixels, slope, canvas):
    """A column moves up by `slope` times its distance from the left edge."""
    return _affine(pixels, (1.0, 0.0, 0.0), (slope, 1.0, 0.0), canvas)


def _translate_x(pixels, distance, canvas):
    """Moves pixels right by a distance in pixels."""
    return _affine(pixels, (1.0, 0.0, -distance), (0.0, 1.0, 0.0), canvas)


def _translate_y(pixels, distance, canvas):
    """Moves pixels down by a distance in pixels."""
    return _affine(pixels, (1.0, 0.0, 0.0), (0.0, 1.0, -distance), canvas)


def _rotate(pixels, degrees, canvas):
    """Rotates counter-clockwise around the centre."""
    angle = degrees * (3.141592653589793 / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    y, x = size[0] / 2, size[1] / 2
    return _affine(
        pixels,
        (cos, -sin, x - cos * x + sin * y),
        (sin, cos, y - sin * x - cos * y),
        canvas,
    )


def _affine(pixels, to_x, to_y, canvas):
    """Takes each pixel from its old place (x, y).

    Args:
        pixels: uint8 (H, W, 3).
        to_x, to_y: 3 numbers each, the factors of the new x, the new y and 1.
            The first pixel reaches from 0 to 1 in x and in y.
        canvas: `Canvas`.

    Returns:
        uint8 (H, W, 3). Bilinear pixels mix with the fill at the edges.
    """
    if canvas.interpolation == "nearest":
        return _nearest(pixels, to_x, to_y, canvas.fill)
    # The kernel counts from the centre of the first pixel.
    rows = [(x, y, shift + (x + y - 1) / 2) for x, y, shift in (to_x, to_y)]
    matrix = tf.stack([*rows[0], *rows[1], 0.0, 0.0])
    floats, fill = tf.cast(pixels, tf.float32), tf.constant(canvas.fill)
    fill = tf.cast(fill, tf.float32)
    # It fills with one number: shift the pixels so that 0 is the colour.
    if any(canvas.fill):
        floats = colors.add(floats, -fill)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=floats[tf.newaxis],
        transforms=matrix[tf.newaxis],
        output_shape=tf.shape(pixels)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    if any(canvas.fill):
        moved = colors.add(moved, fill)
    return tf.cast(tf.round(moved), tf.uint8)


def _nearest(pixels, to_x, to_y, fill):
    """`_affine` of whole pixels, without a kernel that computes in float32."""
    height, width = tf.unstack(tf.shape(pixels)[:2])
    x = tf.range(tf.cast(width, tf.float32)) + 0.5
    y = (tf.range(tf.cast(height, tf.float32)) + 0.5)[:, tf.newaxis]
    column, row = (
        tf.cast(tf.floor(of_x * x + (of_y * y + shift)), tf.int32)
        for of_x, of_y, shift in (to_x, to_y)
    )
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # The fill colour comes after the last pixel.
    all_colors = tf.concat(
        [tf.reshape(pixels, (-1, 3)), tf.constant([fill], tf.uint8)], axis=0
    )
    places = tf.where(inside, row * width + column, height * width)
    return tf.gather(all_colors, places)


# Functions of pixels, parameter and `Canvas`.
MOVES = {
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
    "rotate": _rotate,
}
