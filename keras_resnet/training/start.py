"""Where a run starts: the weights of a recipe, what of them trains, how."""

import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet import optimizers
from keras_resnet.errors import require
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib
from keras_resnet.networks import execution
from keras_resnet.recipes import engines
from keras_resnet.training import loss_scale
from keras_resnet.weights import loading
from keras_resnet.weights import published as published_lib
from keras_resnet.weights import transfer


def check(recipe):
    """Refuses to freeze what was never trained, before data are read.

    Raises:
        keras_resnet.UsageError: if the recipe freezes random weights, or
            Keras does not run on TensorFlow.
    """
    execution.require_tensorflow("Training")
    engines.check(recipe, "tensorflow")
    if recipe.weights:
        return
    for name in ("freeze_until", "freeze_batch_norm"):
        require(
            not getattr(recipe, name),
            f"{name}={getattr(recipe, name)!r} would freeze random weights. "
            "Pass --weights: a file or a tag of published weights of "
            f"{recipe.variant}.",
        )


def check_devices(recipe, strategy):
    """Refuses what the devices of a strategy cannot compute.

    Raises:
        keras_resnet.UsageError: if they do not divide the batch, or XLA cannot
            compile their step.
    """
    replicas = strategy.num_replicas_in_sync
    parts = recipe.gradient_accumulation_steps
    require(
        recipe.batch_size % (replicas * parts) == 0,
        f"The {replicas} devices, times gradient_accumulation_steps, must "
        f"divide the global batch. Received: batch_size={recipe.batch_size}, "
        f"gradient_accumulation_steps={parts}.",
    )
    require(
        not recipe.jit_compile
        or isinstance(strategy, tf.distribute.OneDeviceStrategy),
        "jit_compile needs --strategy=one_device: TensorFlow sums gradients "
        "over devices by operations that XLA cannot compile or that hang in "
        f"it. Received: {type(strategy).__name__} of {replicas} devices.",
    )


def check_classes(split):
    """Refuses a training split that lacks a class: it cannot be learnt.

    Raises:
        keras_resnet.UsageError: if its labels are known and one never occurs.
    """
    if split.labels is None:
        return
    counts = np.bincount(split.labels, minlength=len(split.class_names))
    empty = [split.class_names[label] for label in np.flatnonzero(counts == 0)]
    require(
        not empty,
        f"{len(empty)} of {len(split.class_names)} classes of {split.name} "
        f"have no images: {', '.join(empty[:5])}. Put images into them or "
        "delete them.",
    )


def load_and_freeze(model, recipe, class_names):
    """Loads a recipe's weights and freezes what it says.

    Args:
        model: from `keras_resnet.build`; changed.
        recipe: `recipes.Recipe`.
        class_names: of the data set. The classifier of the file is taken where
            the labels.txt beside it has the very same names; otherwise the
            model keeps its own, new one.

    Raises:
        keras_resnet.UsageError: if the file does not hold this network.
    """
    if recipe.weights:
        path, published = published_lib.locate(recipe.variant, recipe.weights)
        if published is not None:
            pixels = model.get_layer("pixels")
            # A mean image has the colour at every place.
            shape = tuple(pixels.mean.shape)
            pixels.mean.assign(np.broadcast_to(published.pixel_mean, shape))
            pixels.std.assign(published.pixel_std)
        if _has_classes(recipe.weights, class_names):
            loading.load_weights(model, path)
        else:
            transfer.load_body(model, path)
    if recipe.freeze_until or recipe.freeze_batch_norm:
        transfer.freeze(
            model,
            recipe.freeze_until or None,
            batch_norm=recipe.freeze_batch_norm,
        )


def _has_classes(weights, class_names):
    path = pathlib.Path(weights).parent / cards.LABELS
    if not path.is_file():
        return False
    return names_lib.lines(path.read_bytes(), path) == list(class_names)


def make_optimizer(model, recipe):
    """The recipe's SGD, built for what trains: the rest has no momentum.

    Returns:
        `optimizers.SGD`; for mixed_float16 `loss_scale.LossScaledSGD`.
    """
    scaled = recipe.dtype == "mixed_float16"
    sgd = loss_scale.LossScaledSGD if scaled else optimizers.SGD
    optimizer = sgd(
        learning_rate=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        rule=recipe.momentum_rule,
        l2=recipe.weight_decay,
        decay=recipe.decay,
        rate_multipliers=transfer.rate_multipliers(
            model,
            head=recipe.head_learning_rate_multiplier,
            stage_decay=recipe.stage_learning_rate_decay,
        ),
        use_ema=recipe.ema_momentum > 0,
        ema_momentum=recipe.ema_momentum,
    )
    optimizer.build(model.trainable_variables)
    return optimizer
