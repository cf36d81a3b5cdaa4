"""What the values of a recipe may be."""

import dataclasses
import re

from keras_resnet.errors import check_types
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.labels.view import EXIF
from keras_resnet.networks import specs
from keras_resnet.optimizers import rules
from keras_resnet.recipes import freezing
from keras_resnet.recipes import later
from keras_resnet.recipes import schedules
from keras_resnet.recipes import sizes

PIXEL_MEANS = {
    "channel": (
        "the data set's mean colour, and division by its standard deviation"
    ),
    "image": (
        "the mean of the training images' evaluation views, read once before "
        "the first iteration, without division (P1 sec. 3.4)"
    ),
}
SHUFFLES = {
    "examples": "a uniform permutation of the examples an epoch",
    "blocks": (
        "runs of examples of a file are permuted, and the examples mixed "
        "within `shuffle_blocks` of them, so that slow storage is read in "
        "long pieces; for TFRecord files"
    ),
}
# `data.pixels.policies` has them under these names.
POLICIES = {
    "trivial_augment": "one operation of any strength, TrivialAugmentWide",
    "rand_augment": "some of one strength, as timm's rand-m9-mstd0.5-inc1",
    "auto_augment": "pairs that were found on ImageNet, AutoAugment",
}
INTERPOLATIONS = {
    "nearest": "a policy's rotations and the like take the nearest pixel",
    "bilinear": "they mix the four nearest pixels",
}
DTYPES = {
    "float32": "all in single precision",
    "bfloat16": "all in bfloat16, weights and momentum too",
    "mixed_bfloat16": "float32 weights, bfloat16 convolutions",
    "mixed_float16": "the same in float16, with a dynamic loss scale",
}

KEEP = {
    "last": "the model is that of the last iteration",
    "best": (
        "it is that of the evaluation with the highest accuracy, or mAP of "
        "many labels an image, of equal ones the one with the lowest loss; "
        "the last one is last.keras"
    ),
}

_POSITIVE = (
    "shuffle_blocks",
    "repeated_augmentation",
    "image_size",
    "batch_size",
    "gradient_accumulation_steps",
    "policy_layers",
    "steps",
    "learning_rate",
    "warmup_learning_rate",
    "head_learning_rate_multiplier",
    "stage_learning_rate_decay",
    "plateau_evaluations",
    "log_every_steps",
    "eval_every_steps",
    "checkpoint_every_steps",
    "keep_checkpoints",
)

# Momentum 1 forgets nothing; a seed is NumPy's.
_BELOW = {
    "momentum": 1,
    "label_smoothing": 1,
    "ema_momentum": 1,
    "policy_magnitude": 10.001,
    "erasing": 1.001,
    "warmup_error": 1.001,
    "seed": 2**32,
}

_NOT_NEGATIVE = (
    "train_examples",
    "holdout_examples",
    "eval_size",
    "weight_decay",
    "warmup_steps",
    "precise_bn_batches",
    "pad_pixels",
    "policy_magnitude_deviation",
    "patience",
    "keep_every_steps",
)


def check(recipe):
    """Raises `UsageError` if a value of a `recipes.Recipe` cannot work."""
    check_types(recipe)
    _check_names(recipe)
    _check_numbers(recipe)
    _check_sizes(recipe)
    later.check(recipe)
    max_masked(recipe.on_bad_image)


def _check_names(recipe):
    row = _check_architecture(recipe)
    if recipe.freeze_until:
        parts = dict.fromkeys(row.parts)
        lookup(parts, recipe.freeze_until, f"part of {recipe.variant}")
    freezing.check(recipe)
    lookup(schedules.SCHEDULES, recipe.schedule, "schedule")
    lookup(SHUFFLES, recipe.shuffle, "shuffle")
    lookup(PIXEL_MEANS, recipe.pixel_mean, "pixel mean")
    lookup(rules.DECAY_SCOPES, recipe.decay, "decay scope")
    lookup(rules.MOMENTUM_RULES, recipe.momentum_rule, "momentum rule")
    lookup(DTYPES, recipe.dtype, "dtype")
    lookup(KEEP, recipe.keep, "choice of keep")
    lookup(EXIF, recipe.exif, "choice of exif")
    if recipe.policy:
        lookup(POLICIES, recipe.policy, "policy")
    lookup(INTERPOLATIONS, recipe.policy_interpolation, "interpolation")


def _check_architecture(recipe):
    """The row of a recipe's network."""
    row = lookup(specs.VARIANTS, recipe.variant, "variant")
    row = dataclasses.replace(row, **recipe.architecture)
    for field, table in specs.TABLES.items():
        lookup(table, getattr(row, field), field)
    specs.check_branches(
        specs.PLACEMENTS[row.placement],
        specs.SHORTCUTS[row.shortcut],
        zero_gamma=recipe.zero_gamma,
        stochastic_depth=recipe.stochastic_depth,
    )
    return row


def _check_numbers(recipe):
    for name in _POSITIVE:
        value = getattr(recipe, name)
        require(value > 0, f"{name} must be > 0. Received: {value}.")
    for name in _NOT_NEGATIVE:
        value = getattr(recipe, name)
        require(value >= 0, f"{name} must be >= 0. Received: {value}.")
    for name, limit in _BELOW.items():
        value = getattr(recipe, name)
        require(
            0 <= value < limit,
            f"{name} must be in [0, {limit}). Received: {value}.",
        )
    require(
        recipe.batch_size % recipe.gradient_accumulation_steps == 0,
        "gradient_accumulation_steps must divide batch_size. Received: "
        f"gradient_accumulation_steps={recipe.gradient_accumulation_steps}, "
        f"batch_size={recipe.batch_size}.",
    )
    require(
        recipe.stage_learning_rate_decay <= 1,
        "stage_learning_rate_decay must be <= 1: earlier stages train "
        f"slower. Received: {recipe.stage_learning_rate_decay}.",
    )


def _check_sizes(recipe):
    sizes.check(recipe)
    require(
        list(recipe.boundaries) == sorted(recipe.boundaries)
        and min(recipe.boundaries, default=0) >= 0,
        "boundaries must ascend and not be below 0. "
        f"Received: {recipe.boundaries}.",
    )
    require(
        len(recipe.scale_range) == 2
        and recipe.image_size <= recipe.scale_range[0] <= recipe.scale_range[1]
        or recipe.augmentation not in ("imagenet", "scale_crop"),
        "scale_range must be two ascending sizes of the shorter side, not "
        f"below image_size. Received: {recipe.scale_range}.",
    )


def past_the_end(recipe):
    """What a recipe sets for iterations past the end of its run.

    Returns:
        list of str, a line each, for a warning.
    """
    lines, steps = [], recipe.steps
    then = {
        "progressive_boundaries": "images never grow to image_size",
        "unfreeze_boundaries": "parts up to "
        f"{freezing.until(recipe, steps - 1)} never train",
    }
    if recipe.schedule == "steps":
        then["boundaries"] = (
            "the learning rate does not fall there. P1's are at 1/2 and 3/4, "
            f"which would be --boundaries={steps // 2},{steps * 3 // 4}"
        )
    for name, what in then.items():
        late = [str(b) for b in getattr(recipe, name) if b >= steps]
        if late:
            lines.append(
                f"{name}: {', '.join(late)} lie at or past the end of the run, "
                f"steps={steps}: {what}."
            )
    if recipe.warmup_steps >= steps:
        lines.append(
            f"warmup_steps={recipe.warmup_steps} is no shorter than the run, "
            f"steps={steps}: {_without_an_end(recipe)}."
        )
    return lines


def _without_an_end(recipe):
    if recipe.warmup == "linear":
        return f"its rate never comes to {recipe.learning_rate:g}"
    return (
        "unless the training error falls below "
        f"{recipe.warmup_error:.0%}, all of it has the rate of the "
        f"warm-up, {recipe.warmup_learning_rate:g}"
    )


def max_masked(on_bad_image):
    """How many images `on_bad_image` lets a run mask: 0 for "fail".

    Raises:
        keras_resnet.UsageError: if it is neither "fail" nor "mask:N".
    """
    if on_bad_image == "fail":
        return 0
    kind, _, number = str(on_bad_image).partition(":")
    require(
        # No number of images has more digits; Python refuses 5,000 digits.
        kind == "mask" and re.fullmatch("0*[1-9][0-9]{0,17}", number),
        "on_bad_image must be fail or mask:N, N the most images that a run "
        f"may do without. Received: {on_bad_image!r}.",
    )
    return int(number)
