"""Image transforms: pure functions of (image, seed), eager and in a graph.

Images are uint8 (H, W, 3), RGB. A seed is an int32 tensor (2,): the same image
and seed give the same result, whatever came before.
"""

import tensorflow as tf

from keras_resnet.errors import lookup

# AlexNet, sec. 4.1: principal components of ImageNet's RGB values in [0, 1],
# as fb.resnet.torch lists them: standard deviations and, in columns, vectors.
PCA_DEVIATIONS = (0.2175, 0.0188, 0.0045)
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def decode(encoded):
    """The pixels of a JPEG, PNG, BMP or GIF (its first frame).

    Args:
        encoded: string scalar. Grey becomes RGB, 16 bits become 8, alpha is
            dropped, an EXIF rotation is not applied.

    Returns:
        uint8 (H, W, 3).
    """
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def _to_uint8(image):
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def _size(image):
    shape = tf.shape(image)
    return shape[0], shape[1]


def resize_shorter_side(image, pixels):
    """Resizes to a shorter side of `pixels`, keeping the aspect.

    Bilinear, and antialiased where it shrinks, as Pillow and torchvision do.

    Args:
        image: uint8 (H, W, 3).
        pixels: int or int32 scalar.

    Returns:
        uint8; the longer side is rounded down, as torchvision does.
    """
    height, width = _size(image)
    shorter = tf.minimum(height, width)
    size = tf.stack([height, width]) * pixels // shorter
    resized = tf.image.resize(image, size, antialias=True)
    return _to_uint8(resized)


def center_crop(image, pixels):
    """The central square of `pixels`; uint8 (pixels, pixels, 3)."""
    height, width = _size(image)
    top, left = (height - pixels) // 2, (width - pixels) // 2
    return tf.slice(image, [top, left, 0], [pixels, pixels, 3])


def random_scale(image, seed, low, high):
    """Resizes to a shorter side that is uniform in [low, high] (P1 3.4)."""
    pixels = tf.random.stateless_uniform(
        (), seed, low, high + 1, dtype=tf.int32
    )
    return resize_shorter_side(image, pixels)


def random_crop(image, seed, pixels):
    """A uniformly placed square of `pixels`; uint8 (pixels, pixels, 3)."""
    height, width = _size(image)
    limits = tf.stack([height, width]) - pixels + 1
    offset = tf.random.stateless_uniform(
        (2,), seed, minval=None, maxval=None, dtype=tf.int32
    )
    offset = tf.math.floormod(offset, limits)
    return tf.slice(image, [offset[0], offset[1], 0], [pixels, pixels, 3])


def random_flip(image, seed):
    """Mirrors left and right with probability 1/2."""
    return tf.image.stateless_random_flip_left_right(image, seed)


def pca_color(image, seed):
    """Adds multiples of the principal components of RGB (AlexNet, sec. 4.1).

    One alpha ~ N(0, 0.1) for each component and image.
    """
    alpha = tf.random.stateless_normal((3,), seed, stddev=0.1)
    shift = tf.linalg.matvec(PCA_VECTORS, alpha * PCA_DEVIATIONS)
    return _to_uint8(tf.cast(image, tf.float32) + 255.0 * shift)


def pad_crop(image, seed, padding, fill):
    """Pads every side by `padding` pixels and crops the size back (P1 4.2).

    Args:
        fill: 3 floats: the mean colour, so that the padding is zero after
            the mean is subtracted, up to its rounding to uint8.
    """
    fill = _to_uint8(tf.constant(fill, tf.float32))
    height, width = _size(image)
    frame = tf.ones([height + 2 * padding, width + 2 * padding, 1], tf.uint8)
    inside = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    mask = tf.pad(
        tf.ones([height, width, 1], tf.bool),
        [[padding, padding], [padding, padding], [0, 0]],
    )
    padded = tf.where(mask, inside, frame * fill)
    offset = tf.random.stateless_uniform(
        (2,), seed, 0, 2 * padding + 1, dtype=tf.int32
    )
    return tf.slice(padded, [offset[0], offset[1], 0], [height, width, 3])


def evaluation(image, *, resize, size):
    """Shorter side `resize`, then the central `size` square: one view."""
    return center_crop(resize_shorter_side(image, resize), size)


def _seeds(seed):
    # One stream for each transform.
    return [tf.random.fold_in(seed, i) for i in range(4)]


def _none(image, seed, recipe, fill):
    del seed, fill
    return evaluation(image, resize=recipe.eval_resize, size=recipe.image_size)


def _pad_crop(image, seed, recipe, fill):
    image = _none(image, seed, recipe, fill)
    return pad_crop(image, _seeds(seed)[1], recipe.pad_pixels, fill)


def _cifar(image, seed, recipe, fill):
    # P1 4.2: pad, crop, flip.
    image = _pad_crop(image, seed, recipe, fill)
    return random_flip(image, _seeds(seed)[2])


def _imagenet(image, seed, recipe, fill):
    # P1 3.4: scale, crop, flip, colour.
    del fill
    scale, crop, flip, color = _seeds(seed)
    image = random_scale(image, scale, *recipe.scale_range)
    image = random_crop(image, crop, recipe.image_size)
    return pca_color(random_flip(image, flip), color)


# (uint8 image, seed, recipe, mean colour) -> uint8 (size, size, 3).
AUGMENTATIONS = {
    "none": _none,
    "pad_crop": _pad_crop,  # where a mirror image means something else
    "cifar": _cifar,
    "imagenet": _imagenet,
}


def augmentation(name):
    """A row of AUGMENTATIONS by its name."""
    return lookup(AUGMENTATIONS, name, "augmentation")
