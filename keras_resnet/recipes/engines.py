"""Which training engine knows which field of a recipe.

The engines are in `keras_resnet.training.engines`: keras-resnet train uses
"tensorflow", reproduce_on_jax.py uses "jax". An engine refuses a field that it
does not know, unless the field has its default.
"""

import dataclasses

from keras_resnet.errors import require

# Fields that choose the network.
NETWORK = (
    "variant",
    "depths",
    "filters",
    "stem",
    "block",
    "placement",
    "shortcut",
)
_BOTH = (
    *NETWORK,
    "dataset",
    "train_examples",
    "zero_gamma",
    "stochastic_depth",
    "repeated_augmentation",
    "progressive_boundaries",  # no effect without progressive_sizes
    "unfreeze_boundaries",  # no effect without freeze_until
    "dtype",
    "seed",
    "image_size",
    "eval_resize",
    "exif",
    "pixel_mean",
    "augmentation",
    "pad_pixels",
    "batch_size",
    "steps",
    "learning_rate",
    "momentum",
    "momentum_rule",
    "nesterov",
    "weight_decay",
    "decay",
    "label_smoothing",
    "class_weights",
    "optimizer",
    "clip_norm",
    "warmup",
    "final_learning_rate",
    "mixup_alpha",
    "cutmix_alpha",
    "loss",
    "target_threshold",
    "keep",
    "patience",
    "remat",
    "schedule",
    "boundaries",
    "plateau_evaluations",
    "warmup_steps",
    "warmup_learning_rate",
    "warmup_error",
    "log_every_steps",
    "eval_every_steps",
    "checkpoint_every_steps",
    "keep_checkpoints",
    "keep_every_steps",
)
_ONLY_TENSORFLOW = (
    "holdout_examples",
    "shuffle",
    "shuffle_blocks",
    "weights",
    "freeze_until",
    "freeze_batch_norm",
    "head_learning_rate_multiplier",
    "stage_learning_rate_decay",
    "scale_range",
    "progressive_sizes",
    "eval_size",
    "policy",
    "policy_magnitude",
    "policy_magnitude_deviation",
    "policy_layers",
    "policy_increasing",
    "policy_interpolation",
    "erasing",
    "on_bad_image",
    "gradient_accumulation_steps",
    "ema_momentum",
    "precise_bn_batches",
    "jit_compile",
    "teacher",
    "distillation",
    "distillation_weight",
    "distillation_temperature",
)
ENGINES = {
    **dict.fromkeys(_BOTH, ("tensorflow", "jax")),
    **dict.fromkeys(_ONLY_TENSORFLOW, ("tensorflow",)),
}


def check(recipe, engine):
    """Refuses fields that an engine does not know.

    Args:
        recipe: `recipes.Recipe`.
        engine: "tensorflow" or "jax".

    Raises:
        keras_resnet.UsageError: if one has another value than its default.
    """
    for field in dataclasses.fields(recipe):
        engines = ENGINES.get(field.name, ())
        value = getattr(recipe, field.name)
        require(
            engine in engines or value == field.default,
            f"{field.name} must be {field.default!r} on {engine}, whose "
            f"training does not know it; {', '.join(engines) or 'none'} does. "
            f"Received: {value!r}.",
        )
