"""The sizes of a run: training's crops may differ from evaluation's, and grow.

Touvron et al. 2019, arXiv 1906.06423: crops of random area show objects larger
than evaluation does, so training on fewer pixels than evaluation is better and
costs less.
"""

import dataclasses
import typing

from keras_resnet.errors import require


class Stage(typing.NamedTuple):
    """A part of a run: the first iteration, the one after its last, a recipe.

    The recipe is the run's, changed by `at` to the size of the stage.
    """

    first: int
    end: int
    recipe: typing.Any


def evaluation(recipe):
    """Side of evaluation's crop, pixels."""
    return recipe.eval_size or recipe.image_size


def fixed(recipe):
    """Side of all crops of a run; None if they differ."""
    sides = {*recipe.progressive_sizes, recipe.image_size, evaluation(recipe)}
    return recipe.image_size if len(sides) == 1 else None


def stages(recipe):
    """[`Stage`]: the parts of a run, as many as it has iterations for."""
    inner = recipe.progressive_boundaries
    sides = (*recipe.progressive_sizes, recipe.image_size)
    ends = (*inner, recipe.steps)
    return [
        Stage(first, min(end, recipe.steps), at(recipe, side))
        for first, end, side in zip((0, *inner), ends, sides, strict=True)
        if first < recipe.steps
    ]


def at(recipe, side):
    """The recipe of training at one size.

    The padding and the shorter side before a crop change in proportion, so that
    the network sees the same part of an image.

    Args:
        recipe: `recipes.Recipe`.
        side: of its crops, pixels.

    Returns:
        `recipes.Recipe`, evaluated like the given one.
    """
    share = side / recipe.image_size
    return dataclasses.replace(
        recipe,
        image_size=side,
        progressive_sizes=(),
        progressive_boundaries=(),
        eval_size=evaluation(recipe),
        pad_pixels=round(recipe.pad_pixels * share),
        scale_range=tuple(round(n * share) for n in recipe.scale_range),
    )


def check(recipe):
    """Raises `UsageError` if the sizes of a recipe cannot work."""
    side, crop = recipe.image_size, evaluation(recipe)
    name = "eval_size" if recipe.eval_size else "image_size"
    require(
        recipe.eval_resize >= crop,
        f"eval_resize must not be below {name}. Received: "
        f"eval_resize={recipe.eval_resize}, {name}={crop}.",
    )
    ascending("progressive_sizes", recipe.progressive_sizes, side)
    ascending("progressive_boundaries", recipe.progressive_boundaries)
    require(
        len(recipe.progressive_sizes) == len(recipe.progressive_boundaries),
        "progressive_sizes must be as many as progressive_boundaries, the "
        "iterations where they end. Received: "
        f"{recipe.progressive_sizes}, {recipe.progressive_boundaries}.",
    )
    require(
        recipe.pixel_mean != "image" or fixed(recipe),
        "pixel_mean=image is of images of one size. With eval_size or "
        "progressive_sizes take pixel_mean=channel. Received: "
        f"image_size={side}, eval_size={recipe.eval_size}, "
        f"progressive_sizes={recipe.progressive_sizes}.",
    )


def ascending(name, numbers, end=None):
    """Refuses numbers that do not ascend, from above 0 to below `end`."""
    numbers = [0, *numbers] if end is None else [0, *numbers, end]
    require(
        all(a < b for a, b in zip(numbers, numbers[1:])),
        f"{name} must ascend from above 0"
        + (f", to below image_size={end}" if end is not None else "")
        + f". Received: {numbers[1:] if end is None else numbers[1:-1]}.",
    )
