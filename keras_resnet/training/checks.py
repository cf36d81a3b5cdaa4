"""Refuses, before the first batch, settings and data that cannot work."""

import importlib.util

import numpy as np
from absl import logging

from keras_resnet.data.examples import class_labels
from keras_resnet.data.examples import order
from keras_resnet.errors import require
from keras_resnet.recipes import engines
from keras_resnet.training import distillation
from keras_resnet.training import losses

# {package that a run imports late: the file that needs it}.
_PACKAGES = {"matplotlib": "curves.png", "h5py": "model.keras"}


# Fields of the recipe's own loss, and of its own optimizer.
_OF_LOSS = (
    "label_smoothing",
    "class_weights",
    "loss",
    "target_threshold",
    "mixup_alpha",
    "cutmix_alpha",
    "teacher",
)
_OF_OPTIMIZER = ("optimizer", "clip_norm")
_OF_DATA = ("train_examples", "holdout_examples")


def check_settings(recipe, engine, *, loss=None, optimizer=None, splits=None):
    """Refuses a recipe that cannot work on an engine, without its data.

    Args:
        recipe: `recipes.Recipe`.
        engine: `engines.engine.Engine`.
        loss, optimizer, splits: as for `run.train_and_evaluate`.

    Raises:
        keras_resnet.UsageError: says what.
    """
    engines.check(recipe, engine.name)
    _check_frozen(recipe)
    _check_scales(recipe)
    engine.check(recipe)
    if loss is not None:
        _refuse(recipe, _OF_LOSS, "loss", "loss")
    if optimizer is not None:
        _refuse(recipe, _OF_OPTIMIZER, "optimizer", "optimizer")
    distillation.digest(recipe)
    if splits is not None:
        _refuse(recipe, _OF_DATA, "data", "splits")
    for package, file in _PACKAGES.items():
        require(
            importlib.util.find_spec(package) is not None,
            f"{package} is not installed; {file} needs it at the end of the "
            f"run. Install it: pip install {package}.",
        )


def _refuse(recipe, names, what, argument):
    """Refuses fields of a part that an argument replaces."""
    for name in names:
        require(
            name not in recipe.changed,
            f"{name} is of the recipe's own {what}, which {argument}= "
            "replaces. "
            f"Received both: {name}={getattr(recipe, name)!r}.",
        )


def _check_frozen(recipe):
    """Refuses to freeze what was never trained."""
    for name in () if recipe.weights else ("freeze_until", "freeze_batch_norm"):
        require(
            not getattr(recipe, name),
            f"{name}={getattr(recipe, name)!r} would freeze random weights. "
            "Pass --weights: a file or a tag of published weights of "
            f"{recipe.variant}.",
        )


def _check_scales(recipe):
    """Refuses zero_gamma with weights whose scales would replace the zeros."""
    require(
        not (recipe.zero_gamma and recipe.weights),
        "zero_gamma is of random weights: those of a file have scales of "
        f"their own. Received both: weights={recipe.weights!r}.",
    )


def check_data(splits, recipe):
    """Refuses data that cannot be learnt or scored.

    Args:
        splits: {"train": `datasets.Split`, "validation": the same}.
        recipe: `recipes.Recipe`.

    Raises:
        keras_resnet.UsageError: says what.
    """
    train, validation = splits["train"], splits["validation"]
    check_classes(train)
    require(
        not (train.multi_label and recipe.teacher),
        "teacher is for images of one class each, whose probabilities sum to "
        f"one. Received: {recipe.teacher!r}, and {train.name}, whose images "
        "have any number of labels.",
    )
    require(
        train.class_names == validation.class_names,
        f"{train.name} and {validation.name} must have the same classes. Only "
        f"in the one: {_only(train, validation)}. Only in the other: "
        f"{_only(validation, train)}.",
    )
    require(
        train.multi_label == validation.multi_label,
        f"Of {train.name} and {validation.name} only one has any number of "
        "labels an example: both must.",
    )
    require(
        not validation.multi_label
        or validation.labels is None
        or validation.labels.any(),
        f"No example of {validation.name} has a label: nothing would say "
        "which network is better.",
    )
    missing = _empty_classes(validation)
    if missing:
        logging.warning(
            "%s has no images of %d classes, so nobody will know how well "
            "they are told: %s.",
            validation.name,
            len(missing),
            ", ".join(missing[:5]),
        )
    if recipe.class_weights:
        losses.class_weights(recipe.class_weights, train)
    # --shuffle=blocks needs a store that has blocks.
    order.arranged(train, recipe)


def check_classes(split):
    """Refuses a training split that lacks a class: it cannot be learnt.

    Raises:
        keras_resnet.UsageError: if its labels are known and one never occurs.
    """
    empty = _empty_classes(split)
    require(
        not empty,
        f"{len(empty)} of {len(split.class_names)} classes of {split.name} "
        f"have no images: {', '.join(empty[:5])}. Put images into them or "
        "delete them.",
    )


def _empty_classes(split):
    """Names of the classes that have no images, where the labels are known."""
    if split.labels is None:
        return []
    counts = class_labels.counts(split.labels, len(split.class_names))
    return [split.class_names[label] for label in np.flatnonzero(counts == 0)]


def _only(a, b):
    names = [name for name in a.class_names if name not in b.class_names]
    return ", ".join(map(repr, names[:5])) or "none, but the order differs"
