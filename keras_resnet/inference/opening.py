"""Opens the model that a caller names, and the card that says what it sees."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING

from keras_resnet.errors import require
from keras_resnet.inference import cardless
from keras_resnet.inference import kinds
from keras_resnet.inference import predictors
from keras_resnet.inference import runtime
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels import answers
from keras_resnet.labels import cards
from keras_resnet.weights import hub
from keras_resnet.weights import readers
from keras_resnet.weights import repositories

if TYPE_CHECKING:
    import keras

MODEL = "model.keras"  # of a run, in its folder
PYRAMID = "pyramid"  # a name for the features at the ends of the stages


def path_of(path):
    """The path of a model, str; for the folder of a run, that of its model.

    The handle of a repository is returned as it is.
    """
    if hub.is_handle(path):
        return path
    inside = pathlib.Path(path, MODEL)
    return str(inside) if inside.is_file() else str(path)


def load(path: str | os.PathLike) -> "keras.Model":
    """The network of a run, of a .keras file or of a repository, with its card.

    Args:
        path: of the folder of a run or of a .keras file; or a repository, such
            as "hf://timm/resnet50.a1_in1k", with or without "@REVISION". It
            may be of timm, of transformers' ResNets or of KerasHub's presets
            ("kaggle://OWNER/MODEL/keras/NAME" too), or written by
            `keras_resnet.push`.

    Returns:
        `keras.Model`, not compiled. Its attribute `card` is the `Card` beside
        the file, or one made from the repository's own files: class names and
        view; None if there is none. Set it to None before you train the model
        on other classes. If a repository does not name its classes, they are
        ImageNet's if there are 1000, else class_0, class_1 and so on.

    Raises:
        keras_resnet.UsageError: if there is no such file or repository, it is
            of another kind, damaged or not available, or the card is of
            another model.
    """
    from keras_resnet.networks import outputs

    if hub.is_handle(path):
        return _load_repository(path)
    path = pathlib.Path(path_of(path))
    model, card = runtime.load_keras(path), None
    if any(
        (path.parent / name).exists() for name in (cards.LABELS, cards.CARD)
    ):
        card = cards.load_card(path.parent)
        if not outputs.named_features(model):
            _check(card, path, model)
    model.card = card
    return model


def open_features(model, names=None, *, view=None):
    """(`keras.Model`, `Card`) of a network that gives features, by name.

    Args:
        model: as `open_keras` takes it, of a classifier or of a network that
            gives features itself.
        names: "pyramid", the ends of the stages; one or several names that
            `keras_resnet.features` takes; or None for what the model gives.
        view: as `open_keras` takes it.

    Raises:
        keras_resnet.UsageError: as `open_keras`, and for an unknown name.
    """
    from keras_resnet.networks import outputs

    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    card = getattr(model, "card", None)
    named = outputs.named_features(model)
    names = _listed(names)
    if names is not None and not (named and names == list(named)):
        model = outputs.features(model, None if names == [PYRAMID] else names)
        named = outputs.named_features(model)
    require(
        named,
        f"{model.name!r} gives one output of (B, C), which cannot be told from "
        "a classifier's: ask for it beside others, or for 'embedding'. "
        f"Received: {names}.",
    )
    if card is None:
        card = cardless.card_for(model, view)
    card = _seen_by(card, view)
    card = dataclasses.replace(
        card, class_names=(), multi_label=False, outputs=tuple(named)
    )
    return model, card


def _listed(names):
    return [names] if isinstance(names, str) else names and list(names)


def _load_repository(handle):
    from keras_resnet import models

    repository = repositories.describe(handle)
    if repository.card is None:
        return models.build_repository(repository)
    path = repository.files.file(MODEL)
    require(path is not None, f"{handle} holds no {MODEL}.")
    readers.read(path)  # checks what it unpacks to before Keras reads it
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
            whole image, resized to the network's size and cropped; a warning
            says so.
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
    _check_classifier(model)
    if card is None:
        card = cardless.card_of(model, view, class_names)
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
    answers.check_card(
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


def _check_classifier(model):
    from keras_resnet.networks import outputs

    named = outputs.named_features(model)
    require(not named, answers.no_classifier(model.name, named))


def _check(card, name, model):
    from keras_resnet.networks import outputs

    answers.check_head(card, name, outputs.is_multi_label(model))
    answers.check_card(
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
