"""A model as a caller names it, and the card that says what it sees."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING

from absl import logging

from keras_resnet.errors import require
from keras_resnet.inference import kinds
from keras_resnet.inference import predictors
from keras_resnet.inference import runtime
from keras_resnet.inference import tensors
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels import answers
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib
from keras_resnet.labels.view import View
from keras_resnet.weights import hub
from keras_resnet.weights import readers
from keras_resnet.weights import repositories

if TYPE_CHECKING:
    import keras

MODEL = "model.keras"  # of a run, in its folder


def path_of(path):
    """The path of a model, str; of the folder of a run that of its model.

    The handle of a repository stays what it is.
    """
    if hub.is_handle(path):
        return path
    inside = pathlib.Path(path, MODEL)
    return str(inside) if inside.is_file() else str(path)


def load(path: str | os.PathLike) -> "keras.Model":
    """The network of a run, of a .keras file or of a repository, with its card.

    Args:
        path: of the folder of a run or of a .keras file; or a repository,
            "hf://timm/resnet50.a1_in1k", with "@REVISION" or without: of
            timm, of transformers' ResNets, of KerasHub's presets
            ("kaggle://OWNER/MODEL/keras/NAME" too), or what
            `keras_resnet.push` has written.

    Returns:
        `keras.Model`, not compiled. Its attribute `card` is the `Card` that
        lies beside the file, or that the repository's own files make: class
        names and view; None where there is none. Set it to None before you
        train the model on other classes. Where a repository does not name its
        classes they are ImageNet's for 1000 of them, else class_0, class_1
        and so on.

    Raises:
        keras_resnet.UsageError: if there is no such file or repository, it is
            another one, damaged or cannot be had, or the card is not its.
    """
    if hub.is_handle(path):
        return _load_repository(path)
    path = pathlib.Path(path_of(path))
    model, card = runtime.load_keras(path), None
    if any(
        (path.parent / name).exists() for name in (cards.LABELS, cards.CARD)
    ):
        card = cards.load_card(path.parent)
        _check(card, path, model)
    model.card = card
    return model


def _load_repository(handle):
    from keras_resnet import models

    repository = repositories.describe(handle)
    if repository.card is None:
        return models.build_repository(repository)
    path = repository.files.file(MODEL)
    require(path is not None, f"{handle} holds no {MODEL}.")
    readers.read(path)  # what it unpacks to is known before Keras reads it
    model = runtime.load_keras(path)
    model.card = repository.card
    _check(model.card, handle, model)
    return model


def open_keras(model, *, view=None, class_names=None):
    """(`keras.Model`, `Card`) of a model in memory, or as `load` takes it.

    Args:
        model: a `keras.Model` or a path. A model that has no card must
            normalise its pixels itself.
        view: `View` in place of the card's. Default without a card: the
            whole image, resized to the network's size and cropped, which a
            warning says.
        class_names: K names, for a model that has no card.

    Raises:
        keras_resnet.UsageError: if it cannot be read, or what it sees or
            answers is not known.
    """
    if isinstance(model, (str, os.PathLike)):
        path = path_of(model)
        model = load(path)
        if model.card is None and class_names is None:
            cards.load_card(pathlib.Path(path).parent)  # says what is missing
    card = getattr(model, "card", None)
    if card is None:
        card = _card_of(model, view, class_names)
    elif class_names is not None:
        _check_names(card, class_names, model.name)
    card = _seen_by(card, view)
    _check(card, model.name, model)
    return model, card


def open_predictor(model, *, view=None, class_names=None):
    """(`predictors.Predictor`, `Card`) of a network of any format.

    Args:
        model: a `keras.Model`, a repository as `load` takes it, or the path
            of a run or of a file of any format, as `runtime.load_predictor`
            takes it.
        view, class_names: as `open_keras` takes them.

    Raises:
        keras_resnet.UsageError: as `open_keras`.
    """
    is_path = isinstance(model, (str, os.PathLike)) and not hub.is_handle(model)
    path = pathlib.Path(path_of(model)) if is_path else None
    if path is None or kinds.recognise(path).name == "keras":
        model, card = open_keras(model, view=view, class_names=class_names)
        return predictors.KerasPredictor(model), card
    predictor, card = runtime.load_predictor(path), find_card(path)
    if class_names is not None:
        _check_names(card, class_names, path)
    card = _seen_by(card, view)
    cards.check_card(
        card,
        path,
        num_classes=predictor.num_classes,
        image_size=predictor.image_size,
    )
    return predictor, card


def _seen_by(card, view):
    if view is None:
        return card
    return dataclasses.replace(
        card,
        image_size=view.crop,
        eval_resize=view.resize,
        exif=view.exif,
    )


def _check(card, name, model):
    from keras_resnet.networks import outputs

    answers.check_head(card, name, outputs.is_multi_label(model))
    cards.check_card(
        card,
        name,
        num_classes=model.output_shape[-1],
        image_size=model.input_shape[1],
    )


def _check_names(card, class_names, name):
    require(
        tuple(class_names) == card.class_names,
        f"{str(name)!r} has a card, whose class names are "
        f"{', '.join(card.class_names[:5])} ... in this order. If it was "
        "trained on others since, set model.card = None. Received: "
        f"class_names={list(class_names)[:5]}.",
    )


def _card_of(model, view, class_names):
    """The card of a model in memory that nothing else is known of."""
    name, (_, size) = model.name, tensors.places(model.input_shape)
    num_classes = model.output_shape[-1]
    require(
        class_names is not None,
        f"{name!r} has no card, so the names of its {num_classes} classes are "
        "not known: pass class_names, in the order of its outputs.",
    )
    require(
        len(class_names) == num_classes,
        f"{name!r} has {num_classes} classes. Received: {len(class_names)} "
        "class_names.",
    )
    require(
        _normalises(model),
        f"{name!r} does not normalise its pixels: no layer of it is one of "
        "keras_resnet.build, Rescaling or Normalization. How its images are "
        "prepared is not known. Put such a layer first: images are pixels "
        "0..255 everywhere here.",
    )
    if view is None:
        require(
            size is not None,
            f"{name!r} takes images of any size, and has no card that says "
            "which: pass view=keras_resnet.View(resize=256, crop=224).",
        )
        logging.warning(
            "%r has no card: it is shown the central %d x %d pixels of an "
            "image whose shorter side is resized to %d. If it was trained "
            "otherwise, pass view=keras_resnet.View(resize=..., crop=...).",
            name,
            size,
            size,
            size,
        )
        view = View(resize=size, crop=size)
    from keras_resnet.networks import outputs

    names_lib.check(class_names, name)
    return cards.Card(
        class_names=tuple(class_names),
        image_size=view.crop,
        eval_resize=view.resize,
        exif=view.exif,
        variant=name,
        multi_label=outputs.is_multi_label(model),
    )


def _normalises(model):
    """Whether a layer of a network, or of one in it, scales pixels."""
    import keras

    from keras_resnet.networks import primitives

    known = (
        primitives.PixelNormalization,
        keras.layers.Rescaling,
        keras.layers.Normalization,
    )
    return any(
        isinstance(layer, known)
        or isinstance(layer, keras.Model)
        and _normalises(layer)
        for layer in model.layers
    )
