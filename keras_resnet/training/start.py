"""Where a run starts: its network, its weights and its optimizer."""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_resnet import files
from keras_resnet import optimizers
from keras_resnet.data import catalog
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib
from keras_resnet.models import build
from keras_resnet.networks import specs
from keras_resnet.networks.outputs import is_multi_label
from keras_resnet.recipes import freezing
from keras_resnet.recipes import sizes
from keras_resnet.weights import loading
from keras_resnet.weights import published as published_lib
from keras_resnet.weights import transfer


def build_model(recipe, class_names, multi_label=False):
    """The network of a recipe, with the weights of its seed or of its file.

    Args:
        recipe: `recipes.Recipe`.
        class_names: of the data set.
        multi_label: whether an example has any number of labels: then the
            network ends in sigmoids.

    Returns:
        `keras.Model` from `keras_resnet.build`; what never trains is frozen.

    Raises:
        keras_resnet.UsageError: if a file does not hold this network.
    """
    keras.utils.set_random_seed(recipe.seed)
    side = sizes.fixed(recipe)
    model = build(
        recipe.variant,
        classes=len(class_names),
        input_shape=(side, side, 3),
        dtype=recipe.dtype,
        remat=recipe.remat,
        zero_gamma=recipe.zero_gamma,
        stochastic_depth=recipe.stochastic_depth,
        classifier_activation="sigmoid" if multi_label else "softmax",
        **_pixel_constants(recipe),
        **recipe.architecture,
    )
    load(model, recipe, class_names)
    freeze(model, recipe, recipe.steps)
    return model


def _pixel_constants(recipe):
    info, size = catalog.info(recipe.dataset), recipe.image_size
    if recipe.pixel_mean == "channel":
        return {"pixel_mean": info.pixel_mean, "pixel_std": info.pixel_std}
    # A placeholder until the image is known. P1 does not divide. BN after the
    # first convolution removes any scale that the channels have in common from
    # the function, from the gradients and so from the whole training.
    image = np.broadcast_to(info.pixel_mean, (size, size, 3))
    return {"pixel_mean": image, "pixel_std": (1.0,) * 3}


def set_mean_image(model, recipe, compute):
    """Gives a new network the mean image, where its recipe wants one.

    Afterwards the image is a variable in weights and checkpoints.

    Args:
        model: from `build_model`.
        recipe: `recipes.Recipe`.
        compute: () -> float (S, S, 3).
    """
    if recipe.pixel_mean == "image" and not recipe.weights:
        model.get_layer("pixels").mean.assign(compute())


def load(model, recipe, class_names):
    """Loads a recipe's weights.

    Args:
        model: from `keras_resnet.build`; changed.
        recipe: `recipes.Recipe`.
        class_names: of the data set. The file's classifier is used if the
            labels.txt beside it has exactly these names and the card.json the
            same kind of labels; otherwise the model keeps its own, new one.

    Raises:
        keras_resnet.UsageError: if the file does not hold this network.
    """
    if recipe.weights:
        row = dataclasses.replace(
            specs.VARIANTS[recipe.variant], **recipe.architecture
        )
        path, published = published_lib.locate(
            recipe.variant, recipe.weights, row
        )
        if published is not None:
            published_lib.set_pixels(model, published)
        card = getattr(published, "card_of", lambda _: None)(model)
        several = is_multi_label(model)
        if (
            card is not None
            and _answers(card, class_names, several)
            or _has_head(recipe.weights, class_names, several)
        ):
            loading.load_weights(model, path)
        else:
            transfer.load_body(model, path)


def freeze(model, recipe, step):
    """Freezes what does not train at a step.

    Args:
        model: from `keras_resnet.build`; changed.
        recipe: `recipes.Recipe`.
        step: an iteration; `recipe.steps` for what never trains.
    """
    if recipe.freeze_until or recipe.freeze_batch_norm:
        transfer.freeze(
            model,
            freezing.until(recipe, step) or None,
            batch_norm=recipe.freeze_batch_norm,
        )


def _has_head(weights, class_names, multi_label):
    """Whether a file's classifier has a data set's classes and label kind."""
    folder = pathlib.Path(weights).parent
    path = folder / cards.LABELS
    if not path.is_file():
        return False
    names = names_lib.lines(files.read(path), path)
    has_card = (folder / cards.CARD).is_file()
    theirs = has_card and cards.load_card(folder).multi_label
    return names == list(class_names) and theirs == multi_label


def _answers(card, class_names, multi_label):
    """As `_has_head`, for the classifier of a repository."""
    same = card.class_names == tuple(class_names)
    return same and card.multi_label == multi_label


def make_optimizer(model, recipe):
    """The recipe's optimizer for what trains; the rest has no momentum.

    Returns:
        An optimizer of `optimizers`; for mixed_float16, of `loss_scale`.
    """
    kind, own = _rule(recipe)
    if recipe.dtype == "mixed_float16":
        from keras_resnet.training import loss_scale

        kind = loss_scale.scaled(kind)
    optimizer = kind(
        learning_rate=float(recipe.learning_rate),
        momentum=float(recipe.momentum),
        **own,
        decay=recipe.decay,
        clip_norm=recipe.clip_norm,
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


def _rule(recipe):
    """The class of the recipe's optimizer, and what it alone takes."""
    if recipe.optimizer == "sgd":
        return optimizers.SGD, {
            "nesterov": recipe.nesterov,
            "rule": recipe.momentum_rule,
            "l2": recipe.weight_decay,
        }
    kinds = {
        "adamw": optimizers.AdamW,
        "lamb": optimizers.Lamb,
        "muon": optimizers.Muon,
    }
    kind = kinds[recipe.optimizer]
    return kind, {"weight_decay_rate": recipe.weight_decay}
