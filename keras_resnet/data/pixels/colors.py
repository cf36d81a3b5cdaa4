"""Random colours, on float32 pixels (H, W, 3) of 0..255 between two roundings.

Each is a function of the pixels and of uniform numbers, see `randomness.py`.
"""

import itertools

import tensorflow as tf

from keras_resnet.data.pixels import randomness

# AlexNet, sec. 4.1: principal components of ImageNet's RGB values in [0, 1],
# as fb.resnet.torch lists them: eigenvalues of their covariance and, in
# columns, eigenvectors. AlexNet multiplies alpha by the eigenvalues, not roots.
PCA_EIGENVALUES = (0.2175, 0.0188, 0.0045)
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
PCA_DRAWS = 3  # one for each component

JITTER = 0.4  # fb.resnet.torch: of brightness, contrast and saturation
JITTER_DRAWS = 4  # three weights and the order

GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's and torchvision's


def to_uint8(pixels):
    """Rounds float32 pixels of 0..255, half upwards."""
    return tf.cast(pixels + 0.5, tf.uint8)


def pca(pixels, draws):
    """Adds multiples of the principal components of RGB (AlexNet, sec. 4.1).

    One alpha ~ N(0, 0.1) for each component and image.

    Args:
        pixels: float32 (H, W, 3).
        draws: float32 (PCA_DRAWS,), uniform.

    Returns:
        float32 (H, W, 3), clipped to 0..255.
    """
    alpha = 0.1 * randomness.normal(draws)
    shift = 255.0 * tf.linalg.matvec(PCA_VECTORS, alpha * PCA_EIGENVALUES)
    return tf.clip_by_value(add(pixels, shift), 0.0, 255.0)


def add(pixels, numbers):
    """Adds numbers (3,) to the channels of pixels (H, W, 3) of their type."""
    # A row at once: a sum along an axis of three is four times as slow.
    shape = tf.shape(pixels)
    rows = tf.reshape(pixels, [shape[0], -1]) + tf.tile(numbers, [shape[1]])
    return tf.reshape(rows, shape)


def jitter(pixels, draws):
    """Brightness, contrast and saturation in a random order (fb.resnet.torch).

    Each blends the image with black, with its mean grey, or with its grey
    version; the weight of the image is uniform in [1 - JITTER, 1 + JITTER].
    As torchvision's ColorJitter(JITTER, JITTER, JITTER).

    Args:
        pixels: float32 (H, W, 3).
        draws: float32 (JITTER_DRAWS,), uniform: three weights, the order.

    Returns:
        float32 (H, W, 3), 0..255.
    """
    weights = 1 + JITTER * (2 * draws[:3] - 1)
    orders = list(itertools.permutations(range(len(_BLENDS))))
    order = tf.gather(orders, randomness.integer(draws[3], len(orders)))
    for i in range(len(_BLENDS)):
        kind = order[i]
        other = tf.switch_case(
            kind, [lambda f=f, p=pixels: f(p) for f in _BLENDS]
        )
        weight = weights[kind]
        pixels = weight * pixels + (1 - weight) * other
        pixels = tf.clip_by_value(pixels, 0.0, 255.0)
    return pixels


def _black(pixels):
    return tf.zeros_like(pixels)


def _grey(pixels):
    grey = tf.linalg.matvec(pixels, GREY)
    return tf.repeat(grey[..., tf.newaxis], 3, axis=-1)


def _mean_grey(pixels):
    return tf.fill(tf.shape(pixels), tf.reduce_mean(_grey(pixels)))


_BLENDS = (_black, _mean_grey, _grey)
