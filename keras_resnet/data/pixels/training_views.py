"""An image as training sees it: the rows of `augmentations`, applied.

The same image and seed give the same pixels, eager and in a graph, whatever
came before.
"""

import functools

import tensorflow as tf

from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import draws as draws_lib
from keras_resnet.data.pixels import finish
from keras_resnet.data.pixels import parts
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.view import View


def is_batchwise(recipe):
    """Whether `apply_to_batch` does all that is done to an image."""
    row = augmentations.augmentation(recipe.augmentation)
    return not (row.window or row.changes or finish.counts(recipe))


def draw(seeds, recipe):
    """The random numbers that an augmentation takes for examples.

    Args:
        seeds: int64 (...,).
        recipe: `recipes.Recipe`, which names the augmentation.

    Returns:
        {what they are for: float32 (..., n), uniform between 0 and 1}.
    """
    row = augmentations.augmentation(recipe.augmentation)
    # Each stays in its place, whatever is added after it.
    added = {**row.draws, **finish.counts(recipe)}
    counts = {**draws_lib.COUNTS, **added}
    numbers = randomness.uniform(seeds, sum(counts.values()))
    split = tf.split(numbers, list(counts.values()), axis=-1)
    used = {"pad" if row.window is None else "window", "flip", *added}
    found = dict(zip(counts, split, strict=True))
    return {name: part for name, part in found.items() if name in used}


def augment(image, seed, recipe, fill):
    """An image as training sees it.

    Args:
        image: string scalar, encoded, or uint8 (H, W, 3).
        seed: int64 scalar.
        recipe: `recipes.Recipe`: augmentation, image_size, eval_resize,
            exif, pad_pixels, scale_range, and the fields of `finish`.
        fill: 3 floats, the mean colour, for padding.

    Returns:
        uint8 (S, S, 3), S `recipe.image_size`.
    """
    return apply(image, draw(seed, recipe), recipe, fill)


def choose(header, draws, recipe):
    """The parts of many files to decode, for an augmentation `of_many`.

    Args:
        header: `parts.Header` of (...) files.
        draws: from `draw` of their seeds, int64 (...), and the recipe.
        recipe: `recipes.Recipe`.

    Returns:
        `parts.Part` of (...) files, for `apply`.
    """
    return parts.choose(header, _window(draws, recipe), recipe.image_size)


def apply(image, draws, recipe, fill, part=None):
    """As `augment`, with the numbers of `draw` in place of a seed.

    `part` is what `choose` gave for an encoded image. Default: it is chosen
    here.
    """
    image = tf.convert_to_tensor(image)
    if augmentations.augmentation(recipe.augmentation).window is None:
        pixels = _apply_to_view(image, draws, recipe, fill)
    else:
        pixels = _apply_to_window(image, draws, recipe, part)
    return finish.apply(pixels, draws, recipe, fill)


def _window(draws, recipe):
    row = augmentations.augmentation(recipe.augmentation)
    return functools.partial(row.window, draws=draws["window"], recipe=recipe)


def _apply_to_window(image, draws, recipe, part):
    row = augmentations.augmentation(recipe.augmentation)
    pixels = parts.read(
        image, _window(draws, recipe), recipe.image_size, recipe.exif, part
    )
    pixels = _changed(pixels, row, draws)
    if not row.flips:
        return pixels
    return tf.cond(
        draws["flip"][0] < 0.5,
        # Constant dimensions are faster than those that only the graph knows.
        lambda: tf.raw_ops.Reverse(tensor=pixels, dims=[False, True, False]),
        lambda: pixels,
    )


def _apply_to_view(image, draws, recipe, fill):
    image = decoding.pixels(image, recipe.exif)
    view = View.of(recipe).at(recipe.image_size)
    image = transforms.evaluation(image, view)
    row = augmentations.augmentation(recipe.augmentation)
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
    row = augmentations.augmentation(recipe.augmentation)
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
