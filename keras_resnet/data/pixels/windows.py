"""Windows of an image, chosen from its size and random numbers alone.

Each function takes any number of images at once and gives the same bits for
one of many as for one alone. `parts.py` reads what they choose.
"""

import tensorflow as tf

from keras_resnet.data.pixels import randomness

SCALE_CROP_DRAWS = 3


def scale_crop(size, draws, low, high, pixels):
    """A square of the image resized to a random shorter side (P1 3.4).

    Args:
        size: int32 (..., 2), height and width, of any number of images.
        draws: float32 (..., SCALE_CROP_DRAWS), uniform: scale, place from the
            top and from the left.
        low, high: pixels of the shorter side, both included.
        pixels: side of the square after the resize, at most `low`.

    Returns:
        float32 (..., 4): top, left, height and width of the window in pixels
        of the image.
    """
    shorter = low + randomness.integer(draws[..., :1], high - low + 1)
    # A long strip of one pixel's width, resized, can exceed int32.
    size, shorter = tf.cast(size, tf.int64), tf.cast(shorter, tf.int64)
    resized = size * shorter // tf.reduce_min(size, axis=-1, keepdims=True)
    resized = tf.cast(resized, tf.float32)
    corner = tf.floor(draws[..., 1:] * (resized - pixels + 1))
    pixel = tf.cast(size, tf.float32) / resized
    return tf.concat([corner * pixel, pixels * pixel], axis=-1)


# Szegedy et al. 2015, sec. 6; torchvision's and fb.resnet.torch's numbers.
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
DRAWS = 2 * ATTEMPTS + 2  # the most that any window takes


def rectangles(draws, whole, area, aspect):
    """The rectangles that are tried until one fits.

    Args:
        draws: float32 (..., 2 * ATTEMPTS + 2), uniform.
        whole: number or float32 (...), the area of the image, pixels.
        area: least and greatest part of it.
        aspect: least and greatest aspect, the first side over the second.

    Returns:
        The first sides and the second, float32 (..., ATTEMPTS) both, whole
        numbers; and the last two draws, (..., 2).
    """
    areas, aspects, place = tf.split(draws, [ATTEMPTS, ATTEMPTS, 2], axis=-1)
    whole = tf.cast(whole, tf.float32)[..., tf.newaxis]
    areas = whole * (area[0] + (area[1] - area[0]) * areas)
    low, high = tf.math.log(aspect[0]), tf.math.log(aspect[1])
    aspects = _exp(low + (high - low) * aspects)
    one = tf.round(tf.sqrt(areas * aspects))
    return one, tf.round(tf.sqrt(areas / aspects)), place


def _exp(x):
    """The exponential, with the same bits for one image as for one of many.

    The numbers of an image are padded to whole vectors of the processor:
    numbers left over would be computed in another way, and which ones those
    are would depend on how many images there are.
    """
    rest = -x.shape[-1] % 16
    padding = [[0, 0]] * (x.shape.rank - 1) + [[0, rest]]
    return tf.exp(tf.pad(x, padding))[..., : x.shape[-1]]


def area_crop(size, draws):
    """A window of random area and aspect (P2 sec. 5, Szegedy et al. 2015).

    Its area is uniform in AREA of the image's, the logarithm of its aspect
    (width over height) in ASPECT. The first of ATTEMPTS such windows that fits
    is placed uniformly; if none does, the central one of the nearest aspect in
    ASPECT is taken. This is torchvision's RandomResizedCrop.

    Args:
        size: int32 (..., 2), height and width, of any number of images.
        draws: float32 (..., DRAWS), uniform.

    Returns:
        float32 (..., 4): top, left, height, width; whole numbers.
    """
    size = tf.cast(size, tf.float32)
    whole = size[..., 0] * size[..., 1]
    widths, heights, place = rectangles(draws, whole, AREA, ASPECT)
    fits = (widths <= size[..., 1:]) & (heights <= size[..., :1])
    fits &= (widths >= 1) & (heights >= 1)
    tried = first_of(fits, heights, widths)
    return tf.where(
        tf.reduce_any(fits, axis=-1, keepdims=True),
        tf.concat([tf.floor(place * (size - tried + 1)), tried], axis=-1),
        _central(size),
    )


def first_of(fits, heights, widths):
    """Height and width, (..., 2), of the first of (..., n) that fits."""
    first = tf.argmax(fits, axis=-1)
    return tf.stack(
        [
            tf.gather(sides, first, axis=-1, batch_dims=first.shape.rank)
            for sides in (heights, widths)
        ],
        axis=-1,
    )


def _central(size):
    """The central window of the nearest aspect in ASPECT."""
    height, width = size[..., 0], size[..., 1]
    aspect = tf.clip_by_value(width / height, *ASPECT)
    sides = [
        tf.minimum(height, width / aspect),
        tf.minimum(width, height * aspect),
    ]
    central = tf.maximum(tf.round(tf.stack(sides, axis=-1)), 1.0)
    return tf.concat([(size - central) // 2, central], axis=-1)
