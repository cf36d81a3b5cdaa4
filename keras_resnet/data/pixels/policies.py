"""Augmentation policies, as a table: which operations a random crop gets.

Each is a function of uniform numbers, see `randomness.py`. Published training
applied them to a crop that was mirrored already, as `augmentations` does.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.data.pixels import moves
from keras_resnet.data.pixels import operations
from keras_resnet.data.pixels import randomness
from keras_resnet.errors import lookup


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Some operations on an image, one after another.

    Attributes:
        number: function from a `recipes.Recipe` to an int, how many uniform
            numbers an image takes.
        choose: (float32 (number,), recipe, S) -> int32 (L,), places in
            `operations.OPERATIONS`, and float32 (L,), their parameters.
        fills_with_mean: whether pixels that move away leave the mean colour,
            or black.
    """

    number: Callable
    choose: Callable
    fills_with_mean: bool


def number(recipe):
    """How many uniform numbers the policy of a recipe takes for an image."""
    return policy(recipe.policy).number(recipe) if recipe.policy else 0


def policy(name):
    """A row of POLICIES by its name."""
    return lookup(POLICIES, name, "policy")


def apply(pixels, draws, recipe, fill):
    """What the policy of a recipe makes of an image.

    Args:
        pixels: uint8 (S, S, 3).
        draws: float32 (number(recipe),), uniform.
        recipe: `recipes.Recipe`: policy and its numbers.
        fill: 3 floats, the mean colour.

    Returns:
        uint8 (S, S, 3).
    """
    row = policy(recipe.policy)
    fill = fill if row.fills_with_mean else (0.0, 0.0, 0.0)
    canvas = moves.Canvas(
        fill=tuple(int(number + 0.5) for number in fill),
        interpolation=recipe.policy_interpolation,
    )
    chosen = row.choose(draws, recipe, pixels.shape[0])
    for one in zip(*map(tf.unstack, chosen), strict=True):
        pixels = operations.apply(pixels, *one, canvas)
    return pixels


# TrivialAugmentWide (Mueller, Hutter 2021, arXiv 2103.10158, Table 7), as
# torchvision has it: {operation: its parameters from weak to strong, of both
# signs}.
BINS = 31
_FULL = np.linspace(0, 0.99, BINS)
_PIXELS = np.trunc(np.linspace(0, 32, BINS))
_PIXELS[BINS // 2] = 15  # torchvision's float32 falls short of 16
_NONE = np.zeros(BINS)
_WIDE = {
    "identity": (_NONE, _NONE),
    "shear_x": (_FULL, -_FULL),
    "shear_y": (_FULL, -_FULL),
    "translate_x": (_PIXELS, -_PIXELS),
    "translate_y": (_PIXELS, -_PIXELS),
    "rotate": (np.linspace(0, 135, BINS), np.linspace(0, -135, BINS)),
    "brightness": (1 + _FULL, 1 - _FULL),
    "color": (1 + _FULL, 1 - _FULL),
    "contrast": (1 + _FULL, 1 - _FULL),
    "sharpness": (1 + _FULL, 1 - _FULL),
    "posterize": (8 - np.round(np.arange(BINS) / 5),) * 2,
    "solarize": (np.linspace(255, 0, BINS),) * 2,
    "autocontrast": (_NONE, _NONE),
    "equalize": (_NONE, _NONE),
}


def _trivial_augment(draws, recipe, side):
    """One operation, its strength and its sign, all equally likely."""
    del recipe, side
    kind = randomness.integer(draws[0], len(_WIDE))
    sign = randomness.integer(draws[2], 2)
    parameters = tf.constant(np.array(list(_WIDE.values())), tf.float32)
    parameter = parameters[kind, sign, randomness.integer(draws[1], BINS)]
    place = tf.gather([operations.OPERATIONS[name] for name in _WIDE], kind)
    return place[tf.newaxis], parameter[tf.newaxis]


# AutoAugment (Cubuk et al. 2019, arXiv 1805.09501, Table 9): pairs of
# (operation, probability, magnitude).
_IMAGENET = """
posterize .4 8, rotate .6 9; solarize .6 5, autocontrast .6 0;
equalize .8 0, equalize .6 0; posterize .6 7, posterize .6 6;
equalize .4 0, solarize .2 4; equalize .4 0, rotate .8 8;
solarize .6 3, equalize .6 0; posterize .8 5, equalize 1 0;
rotate .2 3, solarize .6 8; equalize .6 0, posterize .4 6;
rotate .8 8, color .4 0; rotate .4 9, equalize .6 0;
equalize 0 0, equalize .8 0; invert .6 0, equalize 1 0;
color .6 4, contrast 1 8; rotate .8 8, color 1 2;
color .8 8, solarize .8 7; sharpness .4 7, invert .6 0;
shear_x .6 5, equalize 1 0; color .4 0, equalize .6 0;
equalize .4 0, solarize .2 4; solarize .6 5, autocontrast .6 0;
invert .6 0, equalize 1 0; color .6 4, contrast 1 8;
equalize .8 0, equalize .6 0
"""
# {operation: the parameter at magnitude m of 0 to 9, and sign}.
_AT = {
    "shear_x": lambda m, sign: sign * m * 0.3 / 9,
    "rotate": lambda m, sign: sign * m * 30 / 9,
    "color": lambda m, sign: 1 + sign * m * 0.9 / 9,
    "contrast": lambda m, sign: 1 + sign * m * 0.9 / 9,
    "sharpness": lambda m, sign: 1 + sign * m * 0.9 / 9,
    "posterize": lambda m, sign: 8 - round(m * 4 / 9),
    "solarize": lambda m, sign: 255 - m * 255 / 9,
}


def _rows_of(text):
    """(place, probability, parameter, the same with the other sign)."""
    for pair in text.split(";"):
        words = [operation.split() for operation in pair.split(",")]
        yield [
            (
                operations.OPERATIONS[name],
                float(probability),
                *(_AT.get(name, _zero)(int(m), sign) for sign in (1, -1)),
            )
            for name, probability, m in words
        ]


def _zero(m, sign):
    del m, sign
    return 0


def _auto_augment(draws, recipe, side):
    """One of 25 pairs; each half with its probability and a random sign."""
    del recipe, side
    rows = tf.constant(list(_rows_of(_IMAGENET)), tf.float32)
    row = rows[randomness.integer(draws[0], len(rows))]
    probabilities, signs = draws[1:3], draws[3:]
    done = probabilities <= row[:, 1]
    parameters = tf.where(signs < 0.5, row[:, 2], row[:, 3])
    return tf.where(done, tf.cast(row[:, 0], tf.int32), 0), parameters


# RandAugment (Cubuk et al. 2020, arXiv 1909.13719), as timm has it.
_RANDOM = (
    *("autocontrast", "equalize", "invert", "rotate", "posterize"),
    *("solarize", "solarize_add", "color", "contrast", "brightness"),
    *("sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
)


def _rand_augment(draws, recipe, side):
    """`policy_layers` operations of similar strength, each with chance 1/2."""
    kinds, done, strengths, signs = tf.unstack(tf.reshape(draws, (4, -1)))
    deviation = recipe.policy_magnitude_deviation * randomness.normal(strengths)
    levels = (recipe.policy_magnitude + deviation) / 10
    levels = tf.clip_by_value(levels, 0.0, 1.0)
    parameters = _random_parameters(levels, tf.sign(0.5 - signs), recipe, side)
    kinds = randomness.integer(kinds, len(_RANDOM))
    places = tf.gather([operations.OPERATIONS[name] for name in _RANDOM], kinds)
    parameters = tf.gather(parameters, kinds, axis=1, batch_dims=1)
    return tf.where(done <= 0.5, places, 0), parameters


def _random_parameters(levels, signs, recipe, side):
    """float32 (L, operations) of L levels, 0 to 1, and signs, -1 or 1."""
    increasing = recipe.policy_increasing
    bits, threshold = tf.floor(4 * levels), tf.floor(256 * levels)
    weight = tf.maximum(0.1, 1 + 0.9 * signs * levels)
    weight = weight if increasing else 0.1 + 1.8 * levels
    distance = -0.45 * side * signs * levels
    of = {
        "rotate": 30 * signs * levels,
        "posterize": 4 - bits if increasing else bits,
        "solarize": 256 - threshold if increasing else threshold,
        "solarize_add": tf.floor(110 * levels),
        **dict.fromkeys(("color", "contrast", "brightness"), weight),
        "sharpness": weight,
        **dict.fromkeys(("shear_x", "shear_y"), 0.3 * signs * levels),
        **dict.fromkeys(("translate_x", "translate_y"), distance),
    }
    none = tf.zeros_like(levels)
    return tf.stack([of.get(name, none) for name in _RANDOM], axis=1)


POLICIES = {
    "trivial_augment": Policy(
        number=lambda recipe: 3,
        choose=_trivial_augment,
        fills_with_mean=False,
    ),
    "rand_augment": Policy(
        number=lambda recipe: 4 * recipe.policy_layers,
        choose=_rand_augment,
        fills_with_mean=True,
    ),
    "auto_augment": Policy(
        number=lambda recipe: 5,
        choose=_auto_augment,
        fills_with_mean=False,
    ),
}
