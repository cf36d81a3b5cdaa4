"""Later practice, off in the papers' recipes: fields, and what they may be."""

import dataclasses
import math

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.optimizers import rules
from keras_resnet.recipes import schedules
from keras_resnet.recipes.shown import Shown
from keras_resnet.recipes.shown import choices as _choices
from keras_resnet.recipes.shown import field as _field

LOSSES = {
    "softmax": "cross-entropy of one class an image",
    "binary": "cross-entropy of yes and no of each class, its mean over "
    "classes, as ever with many labels an image",
}
DISTILLATIONS = {
    "soft": "towards the teacher's probabilities at a temperature T, by T * T "
    "times the divergence from them",
    "hard": "towards the teacher's likeliest class",
}

_NOT_NEGATIVE = (
    "clip_norm",
    "final_learning_rate",
    "mixup_alpha",
    "cutmix_alpha",
)

_OF_TEACHER = (
    "distillation",
    "distillation_weight",
    "distillation_temperature",
)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Later(Shown):
    """Fields of a `Recipe` whose defaults keep the papers' procedure."""

    optimizer: str = _field("sgd", _choices(rules.OPTIMIZERS))
    clip_norm: float = _field(
        0.0,
        "Most that the norm of all gradients together may be; longer ones are "
        "scaled down to it. 0 for any.",
    )
    warmup: str = _field("constant", _choices(schedules.WARMUPS))
    final_learning_rate: float = _field(
        0.0, "Rate at the end of the schedules cosine and one_cycle."
    )
    mixup_alpha: float = _field(
        0.0,
        "Mix each image with another one, by a part from Beta(alpha, alpha), "
        "one for the batch; 0 for none. The training error counts the label "
        "that has the larger part.",
    )
    cutmix_alpha: float = _field(
        0.0,
        "The same by a rectangle of the other image, whose part of the area "
        "is from Beta(alpha, alpha). With both, half of the iterations do the "
        "one and half the other.",
    )
    loss: str = _field("softmax", _choices(LOSSES))
    target_threshold: float = _field(
        0.0,
        "With loss=binary: classes whose part of a smoothed or mixed label is "
        "above it are a full yes, others no; 0 to keep the parts.",
    )
    teacher: str = _field(
        "",
        "Model file, or folder of a run, of the same classes and pixels, that "
        "the network learns from too; empty for none.",
    )
    distillation: str = _field("soft", _choices(DISTILLATIONS))
    distillation_weight: float = _field(
        0.5, "Part of the loss that the teacher has, 0 to 1."
    )
    distillation_temperature: float = _field(
        1.0, "Of both networks' logits in distillation=soft."
    )

    zero_gamma: bool = _field(
        False,
        "Begin with a scale of 0 in the BN that ends each branch; of random "
        "weights.",
    )
    stochastic_depth: float = _field(
        0.0,
        "Probability that an example passes the last branch by in training, "
        "less for earlier ones, linear in the depth; below 1.",
    )
    repeated_augmentation: int = _field(
        1,
        "How often an image comes in a batch, each time augmented anew. An "
        "epoch has as many images as ever, of so many times fewer files.",
    )
    progressive_sizes: tuple[int, ...] = _field(
        (), "Sides of the crop in training before image_size; empty for none."
    )
    progressive_boundaries: tuple[int, ...] = _field(
        (), "Iterations after which each of these gives way to the next size."
    )
    eval_size: int = _field(
        0,
        "Side of the crop wherever the model is used, evaluation too, pixels; "
        "0 for image_size.",
    )

    @property
    def mixes(self):
        """How many images in a row are mixed with each other; 0 for none.

        At most 8, so that devices and micro-batches which keep such a group
        together compute what one device would.
        """
        if not (self.mixup_alpha or self.cutmix_alpha):
            return 0
        return math.gcd(self.batch_size, 8)


def check(recipe):
    """Raises `UsageError` if a value of a `Later` cannot work."""
    lookup(rules.OPTIMIZERS, recipe.optimizer, "optimizer")
    lookup(schedules.WARMUPS, recipe.warmup, "warm-up")
    lookup(LOSSES, recipe.loss, "loss")
    lookup(DISTILLATIONS, recipe.distillation, "distillation")
    for name in _NOT_NEGATIVE:
        value = getattr(recipe, name)
        require(value >= 0, f"{name} must be >= 0. Received: {value}.")
    _check_optimizer(recipe)
    _check_rates(recipe)
    _check_loss(recipe)


def _check_optimizer(recipe):
    if recipe.optimizer == "sgd":
        return
    for name, default in {"momentum_rule": "caffe", "nesterov": False}.items():
        value = getattr(recipe, name)
        require(
            value == default,
            f"{name} is of optimizer=sgd. Received: optimizer="
            f"{recipe.optimizer}, {name}={value}.",
        )
    require(
        recipe.dtype != "bfloat16",
        f"optimizer={recipe.optimizer} keeps means of the squared gradients, "
        "for which bfloat16 has too few digits: take dtype=mixed_bfloat16. "
        f"Received: dtype={recipe.dtype}.",
    )


def _check_rates(recipe):
    require(
        not recipe.final_learning_rate
        or recipe.schedule not in ("steps", "plateau"),
        "final_learning_rate is of the schedules cosine and one_cycle. "
        f"Received: final_learning_rate={recipe.final_learning_rate}, "
        f"schedule={recipe.schedule}.",
    )
    require(
        recipe.final_learning_rate <= recipe.learning_rate,
        "final_learning_rate must not be above learning_rate. Received: "
        f"final_learning_rate={recipe.final_learning_rate}, "
        f"learning_rate={recipe.learning_rate}.",
    )
    require(
        recipe.schedule != "one_cycle" or not recipe.warmup_steps,
        "schedule=one_cycle is a warm-up itself: warmup_steps must be 0. "
        f"Received: {recipe.warmup_steps}.",
    )


def _check_loss(recipe):
    require(
        recipe.mixes != 1,
        "mixup_alpha and cutmix_alpha mix pairs of images, so batch_size must "
        f"be even. Received: {recipe.batch_size}.",
    )
    require(
        0 <= recipe.target_threshold < 1,
        "target_threshold must be in [0, 1). Received: "
        f"{recipe.target_threshold}.",
    )
    require(
        not recipe.target_threshold or recipe.loss == "binary",
        "target_threshold is of loss=binary. Received: "
        f"target_threshold={recipe.target_threshold}, loss={recipe.loss}.",
    )
    require(
        0 <= recipe.distillation_weight <= 1,
        "distillation_weight must be in [0, 1]. Received: "
        f"{recipe.distillation_weight}.",
    )
    require(
        recipe.distillation_temperature > 0,
        "distillation_temperature must be > 0. Received: "
        f"{recipe.distillation_temperature}.",
    )
    for name in _OF_TEACHER:
        require(
            recipe.teacher or name not in recipe.changed,
            f"{name} is of a teacher. Received: "
            f"{name}={getattr(recipe, name)!r} without one.",
        )


def check_own_rate(base, changed, overrides):
    """Refuses a new optimizer at the learning rate of the old one.

    The papers' 0.1 for SGD is far too high for the others.

    Args:
        base, changed: `recipes.Recipe`, before and after the overrides.
        overrides: dict from fields to values.
    """
    require(
        changed.optimizer == base.optimizer or "learning_rate" in overrides,
        f"Say learning_rate with optimizer={changed.optimizer}: "
        f"{base.learning_rate:g} is for {base.optimizer}. Such as 0.001 for "
        "adamw and muon, 0.005 for lamb, 0.1 for sgd.",
    )
