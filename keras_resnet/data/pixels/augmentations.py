"""Training's views of an image, as a table: functions of (image, seed) alone.

The same image and seed give the same pixels, eager and in a graph, whatever
came before.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import draws as draws_lib
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import transforms
from keras_resnet.data.pixels import windows
from keras_resnet.errors import lookup
from keras_resnet.labels.view import View


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Training's view of an image. Without a window, evaluation's.

    Attributes:
        about: one line.
        window: (size, draws, recipe) -> float32 (4,), see `windows.read`.
        pads: whether it is padded and cropped, by `recipe.pad_pixels`.
        flips: whether it is mirrored with probability 1/2.
        colors: keys of COLORS, in their order.
    """

    about: str
    window: Callable | None = None
    pads: bool = False
    flips: bool = False
    colors: tuple[str, ...] = ()


def _scale_crop(size, draws, recipe):
    draws = draws[: windows.SCALE_CROP_DRAWS]
    return windows.scale_crop(
        size, draws, *recipe.scale_range, recipe.image_size
    )


def _area_crop(size, draws, recipe):
    del recipe
    return windows.area_crop(size, draws)


COLORS = {"pca": colors.pca, "jitter": colors.jitter}


AUGMENTATIONS = {
    "none": Augmentation(about="evaluation's view"),
    "pad_crop": Augmentation(
        about="pad, crop; where a mirror image means something else",
        pads=True,
    ),
    "cifar": Augmentation(about="pad, crop, flip", pads=True, flips=True),
    "scale_crop": Augmentation(
        about="scale, crop, flip", window=_scale_crop, flips=True
    ),
    "imagenet": Augmentation(
        about="scale, crop, flip, PCA colour",
        window=_scale_crop,
        flips=True,
        colors=("pca",),
    ),
    "area_crop": Augmentation(
        about="crop of random area and aspect, flip",
        window=_area_crop,
        flips=True,
    ),
    "area_crop_color": Augmentation(
        about="as area_crop, with colour jitter and PCA colour",
        window=_area_crop,
        flips=True,
        colors=("jitter", "pca"),
    ),
}


def augmentation(name):
    """A row of AUGMENTATIONS by its name."""
    return lookup(AUGMENTATIONS, name, "augmentation")


def used(recipe):
    """The names of the numbers, among those of `draw`, that a recipe takes."""
    row = augmentation(recipe.augmentation)
    first = {"pad"} if row.window is None else {"window"}
    return {*first, "flip", *row.colors}


def draw(seeds):
    """The random numbers of examples, by what they are for.

    Args:
        seeds: int64 (...,).

    Returns:
        dict from names to float32 (..., n), uniform between 0 and 1.
    """
    numbers = randomness.uniform(seeds, sum(draws_lib.COUNTS.values()))
    parts = tf.split(numbers, list(draws_lib.COUNTS.values()), axis=-1)
    return dict(zip(draws_lib.COUNTS, parts, strict=True))


def augment(image, seed, recipe, fill):
    """An image as training sees it.

    Args:
        image: string scalar, encoded, or uint8 (H, W, 3).
        seed: int64 scalar.
        recipe: `recipes.Recipe`: augmentation, image_size, eval_resize,
            pad_pixels, scale_range.
        fill: 3 floats, the mean colour, for padding.

    Returns:
        uint8 (S, S, 3), S `recipe.image_size`.
    """
    return apply(image, draw(seed), recipe, fill)


def apply(image, draws, recipe, fill):
    """As `augment`, with the numbers of `draw` in place of a seed."""
    image = tf.convert_to_tensor(image)
    row = augmentation(recipe.augmentation)
    size = recipe.image_size
    if row.window is None:
        if image.dtype == tf.string:
            image = decoding.decode(image)
        image = transforms.evaluation(image, View.of(recipe))
        draws = {name: part[tf.newaxis] for name, part in draws.items()}
        return apply_to_batch(image[tf.newaxis], draws, recipe, fill)[0]
    window = functools.partial(row.window, draws=draws["window"], recipe=recipe)
    pixels = windows.read(image, window, size)
    for name in row.colors:
        pixels = COLORS[name](pixels, draws[name])
    mirrored = tf.concat([[False], _mirrored(row, draws), [False]], axis=0)
    return tf.raw_ops.Reverse(tensor=colors.to_uint8(pixels), dims=mirrored)


def apply_to_batch(images, draws, recipe, fill):
    """As `apply`, for images of the network's size, without a window.

    Args:
        images: uint8 (B, S, S, 3).
        draws: from `draw` of int64 (B,).
        recipe, fill: as for `augment`.

    Returns:
        uint8 (B, S, S, 3).
    """
    row = augmentation(recipe.augmentation)
    padding = recipe.pad_pixels if row.pads else 0
    if not (padding or row.flips):
        return images
    return transforms.pad_crop(
        images,
        randomness.integer(draws["pad"], 2 * padding + 1),
        _mirrored(row, draws)[:, 0],
        padding,
        fill,
    )


def _mirrored(row, draws):
    return tf.logical_and(row.flips, draws["flip"] < 0.5)
