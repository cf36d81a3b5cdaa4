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
from keras_resnet.data.pixels import finish
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import transforms
from keras_resnet.data.pixels import windows
from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.labels.view import View


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Training's view of an image. Without a window, evaluation's.

    Attributes:
        about: one line.
        window: (size, draws, recipe) -> float32 (4,), see `windows.read`;
            `draws` are the 22 numbers of "window".
        pads: whether it is padded and cropped, by `recipe.pad_pixels`.
        flips: whether it is mirrored with probability 1/2.
        changes: functions of (float32 pixels (S, S, 3) of 0..255, {name:
            numbers}) that give such pixels, applied in order.
        draws: {name: n}, the uniform numbers that `changes` take of an image.
    """

    about: str
    window: Callable | None = None
    pads: bool = False
    flips: bool = False
    changes: tuple[Callable, ...] = ()
    draws: dict[str, int] = dataclasses.field(default_factory=dict)


AUGMENTATIONS: dict[str, Augmentation] = {}


def register(name: str, **fields) -> None:
    """Adds an augmentation that `--augmentation` and recipes may name.

    To be called in a module of yours that `--import` names. Let all that is
    random come from the numbers, float32 between 0 and 1: they are a function
    of the seed, the epoch and the example, so that a run that resumes sees the
    same pixels. They do not depend on what else is registered.

    Args:
        name: of the augmentation.
        **fields: attributes of `Augmentation`.

    Raises:
        keras_resnet.UsageError: if there is one of this name, or `draws` has
            a name of ours (`draws.COUNTS`, `finish.TAKEN`).

    Example:

    >>> def darken(pixels, draws):
    ...     return pixels * draws["darken"][0]
    >>> register(
    ...     "dark", about="pad, crop, darken", pads=True,
    ...     changes=(darken,), draws={"darken": 1},
    ... )
    """
    row = Augmentation(**fields)
    for part, number in row.draws.items():
        ours = {**draws_lib.COUNTS, **finish.TAKEN}.get(part, number)
        require(
            number == ours,
            f"{part!r} are {ours} numbers. Received: draws={row.draws}.",
        )
    register_row(AUGMENTATIONS, name, row, "augmentation")


def _scale_crop(size, draws, recipe):
    draws = draws[: windows.SCALE_CROP_DRAWS]
    return windows.scale_crop(
        size, draws, *recipe.scale_range, recipe.image_size
    )


def _area_crop(size, draws, recipe):
    del recipe
    return windows.area_crop(size, draws)


def _pca(pixels, draws):
    return colors.pca(pixels, draws["pca"])


def _jitter(pixels, draws):
    return colors.jitter(pixels, draws["jitter"])


register("none", about="evaluation's view")
register(
    "pad_crop",
    about="pad, crop; where a mirror image means something else",
    pads=True,
)
register("cifar", about="pad, crop, flip", pads=True, flips=True)
register(
    "scale_crop", about="scale, crop, flip", window=_scale_crop, flips=True
)
register(
    "imagenet",
    about="scale, crop, flip, PCA colour",
    window=_scale_crop,
    flips=True,
    changes=(_pca,),
    draws={"pca": colors.PCA_DRAWS},
)
register(
    "area_crop",
    about="crop of random area and aspect, flip",
    window=_area_crop,
    flips=True,
)
register(
    "area_crop_color",
    about="as area_crop, with colour jitter and PCA colour",
    window=_area_crop,
    flips=True,
    changes=(_jitter, _pca),
    draws={"jitter": colors.JITTER_DRAWS, "pca": colors.PCA_DRAWS},
)


def augmentation(name):
    """A row of AUGMENTATIONS by its name."""
    return lookup(AUGMENTATIONS, name, "augmentation")


def is_batchwise(recipe):
    """Whether `apply_to_batch` does all that is done to an image."""
    row = augmentation(recipe.augmentation)
    return not (row.window or row.changes or finish.counts(recipe))


def draw(seeds, recipe):
    """The random numbers that an augmentation takes of examples.

    Args:
        seeds: int64 (...,).
        recipe: `recipes.Recipe`, which names the augmentation.

    Returns:
        {what they are for: float32 (..., n), uniform between 0 and 1}.
    """
    row = augmentation(recipe.augmentation)
    # Each stays in its place, whatever is added after it.
    added = {**row.draws, **finish.counts(recipe)}
    counts = {**draws_lib.COUNTS, **added}
    numbers = randomness.uniform(seeds, sum(counts.values()))
    parts = tf.split(numbers, list(counts.values()), axis=-1)
    used = {"pad" if row.window is None else "window", "flip", *added}
    found = dict(zip(counts, parts, strict=True))
    return {name: part for name, part in found.items() if name in used}


def augment(image, seed, recipe, fill):
    """An image as training sees it.

    Args:
        image: string scalar, encoded, or uint8 (H, W, 3).
        seed: int64 scalar.
        recipe: `recipes.Recipe`: augmentation, image_size, eval_resize,
            exif, pad_pixels, scale_range, those of `finish`.
        fill: 3 floats, the mean colour, for padding.

    Returns:
        uint8 (S, S, 3), S `recipe.image_size`.
    """
    return apply(image, draw(seed, recipe), recipe, fill)


def apply(image, draws, recipe, fill):
    """As `augment`, with the numbers of `draw` in place of a seed."""
    row = augmentation(recipe.augmentation)
    part = _apply_to_view if row.window is None else _apply_to_window
    pixels = part(tf.convert_to_tensor(image), draws, recipe, fill)
    return finish.apply(pixels, draws, recipe, fill)


def _apply_to_window(image, draws, recipe, fill):
    del fill
    row = augmentation(recipe.augmentation)
    window = functools.partial(row.window, draws=draws["window"], recipe=recipe)
    pixels = windows.read(image, window, recipe.image_size, recipe.exif)
    pixels = _changed(pixels, row, draws)
    mirrored = tf.concat([[False], _mirrored(row, draws), [False]], axis=0)
    return tf.raw_ops.Reverse(tensor=pixels, dims=mirrored)


def _apply_to_view(image, draws, recipe, fill):
    image = decoding.pixels(image, recipe.exif)
    view = View.of(recipe).at(recipe.image_size)
    image = transforms.evaluation(image, view)
    row = augmentation(recipe.augmentation)
    batch = {name: part[tf.newaxis] for name, part in draws.items()}
    pixels = apply_to_batch(image[tf.newaxis], batch, recipe, fill)[0]
    if not row.changes:
        return pixels
    return _changed(tf.cast(pixels, tf.float32), row, draws)


def _changed(pixels, row, draws):
    """What the changes of a row make of float32 pixels, rounded once."""
    for change in row.changes:
        pixels = change(pixels, draws)
    return colors.to_uint8(pixels)


def apply_to_batch(images, draws, recipe, fill):
    """Pads, crops and flips images: all of `apply` where `is_batchwise`.

    Args:
        images: uint8 (B, S, S, 3).
        draws: from `draw` of int64 (B,) and the recipe.
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
