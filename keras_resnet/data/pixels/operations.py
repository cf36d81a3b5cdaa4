"""The operations of augmentation policies, as a table: one of them runs.

Each is a function of uint8 pixels (H, W, 3) and a float32 parameter. Colours
match Pillow's bit for bit, as the published recipes were trained; torchvision's
functions of tensors differ by one level at most. Moved pixels are the same in
all three, except where a source lies on the edge between two pixels; bilinear
ones match torchvision's to one level, and inside the image Pillow's.
"""

import functools

import tensorflow as tf

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import moves

# Pillow's L: ITU-R 601 in parts of 65,536. Their sums are exact in float32.
_GREY = ((19595.0,), (38470.0,), (7471.0,))


@functools.partial(
    tf.function,
    autograph=False,
    # A call, not a part of the graph: what does not run costs no time.
    experimental_attributes={"_noinline": True},
)
def apply(pixels, index, parameter, canvas):
    """Applies one operation to an image.

    Args:
        pixels: uint8 (H, W, 3).
        index: int32 scalar, of the operation in `OPERATIONS`.
        parameter: float32 scalar, as the operation says.
        canvas: `moves.Canvas`.

    Returns:
        uint8 (H, W, 3).
    """
    branches = [
        *(lambda f=f: f(pixels, parameter) for f in _TONES.values()),
        *(
            lambda f=f: f(pixels, parameter, canvas)
            for f in moves.MOVES.values()
        ),
    ]
    return tf.ensure_shape(tf.switch_case(index, branches), pixels.shape)


def _blend(other, pixels, weight):
    """Pillow's `Image.blend` of float32 pixels; a weight > 1 extrapolates."""
    mixed = other + weight * (pixels - other)
    return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.uint8)


def _brightness(pixels, weight):
    """Mixed with black: 0 is black, 1 the image."""
    return _blend(0.0, tf.cast(pixels, tf.float32), weight)


def _color(pixels, weight):
    """Mixed with its grey version."""
    # Three equal channels: broadcasting an axis of one is four times as slow.
    return _blend(_grey(pixels, 3), tf.cast(pixels, tf.float32), weight)


def _contrast(pixels, weight):
    """Mixed with its mean grey."""
    grey = tf.cast(_grey(pixels), tf.int64)
    total, count = tf.reduce_sum(grey), tf.size(grey, tf.int64)
    mean = tf.cast((2 * total + count) // (2 * count), tf.float32)
    return _blend(mean, tf.cast(pixels, tf.float32), weight)


def _grey(pixels, channels=1):
    """Whole float32 numbers (H, W, channels), all the same."""
    rows = tf.reshape(tf.cast(pixels, tf.float32), (-1, 3))
    weights = tf.tile(_GREY, (1, channels))
    grey = tf.floor((tf.matmul(rows, weights) + 32768.0) / 65536.0)
    return tf.reshape(grey, [*tf.unstack(tf.shape(pixels)[:2]), channels])


def _sharpness(pixels, weight):
    """Mixed with a blurred image, whose edges stay as they are."""
    pixels = tf.cast(pixels, tf.float32)
    sums = pixels[:-2] + pixels[1:-1] + pixels[2:]
    sums = sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:]
    inner = pixels[1:-1, 1:-1]
    blurred = tf.floor((sums + 4 * inner + 6.5) / 13)
    blurred = tf.concat([pixels[1:-1, :1], blurred, pixels[1:-1, -1:]], 1)
    blurred = tf.concat([pixels[:1], blurred, pixels[-1:]], 0)
    return _blend(blurred, pixels, weight)


def _posterize(pixels, bits):
    """Keeps the upper bits of each number, 0 to 8."""
    shift = tf.cast(8 - bits, tf.int32)
    mask = tf.cast(256 - tf.bitwise.left_shift(1, shift), tf.uint8)
    return tf.bitwise.bitwise_and(pixels, mask)


def _solarize(pixels, threshold):
    """Inverts the numbers from a threshold on."""
    kept = tf.cast(pixels, tf.float32) < threshold
    return tf.where(kept, pixels, 255 - pixels)


def _solarize_add(pixels, added):
    """Adds to the numbers below 128, to 255 at most."""
    numbers = tf.cast(pixels, tf.int32)
    sums = tf.minimum(numbers + tf.cast(added, tf.int32), 255)
    return tf.where(numbers < 128, tf.cast(sums, tf.uint8), pixels)


def _autocontrast(pixels, parameter):
    """Stretches each channel to 0..255."""
    del parameter
    rows = tf.reshape(pixels, (-1, 3))
    low, high = (
        tf.cast(f(rows, axis=0), tf.float64)[:, tf.newaxis]
        for f in (tf.reduce_min, tf.reduce_max)
    )
    scale = 255 / tf.maximum(high - low, 1)
    levels = tf.range(256, dtype=tf.float64)
    table = tf.clip_by_value(levels * scale + -low * scale, 0, 255)
    return _look_up(pixels, tf.where(high > low, table, levels))


def _equalize(pixels, parameter):
    """Spreads the numbers of each channel evenly over 0..255."""
    del parameter
    counts = tf.math.bincount(
        tf.reshape(_places(pixels), [-1]), minlength=768, maxlength=768
    )
    counts = tf.reshape(counts, (3, 256))
    levels = tf.range(256)
    highest = tf.reduce_max(tf.where(counts > 0, levels, 0), 1, keepdims=True)
    rest = tf.reduce_sum(tf.where(levels == highest, 0, counts), 1)
    step = rest[:, tf.newaxis] // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    table = (below + step // 2) // tf.maximum(step, 1)
    return _look_up(pixels, tf.where(step > 0, tf.minimum(table, 255), levels))


def _places(pixels):
    """Places of the numbers in a flat table of 256 for each channel."""
    return colors.add(tf.cast(pixels, tf.int32), (0, 256, 512))


def _look_up(pixels, table):
    """Looks up each channel in its row of a table (3, 256)."""
    table = tf.reshape(tf.cast(table, tf.uint8), [-1])
    return tf.gather(table, _places(pixels))


# Functions of pixels and parameter.
_TONES = {
    "identity": lambda pixels, _: pixels,
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "invert": lambda pixels, _: 255 - pixels,
}
# {name: index}.
OPERATIONS = {name: i for i, name in enumerate((*_TONES, *moves.MOVES))}
