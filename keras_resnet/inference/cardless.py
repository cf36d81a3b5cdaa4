"""What a model without a card is assumed to see and to answer."""

from absl import logging

from keras_resnet.errors import require
from keras_resnet.inference import tensors
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib
from keras_resnet.labels.view import View


def card_of(model, view, class_names):
    """A card for a classifier in memory that has none.

    Args:
        model: `keras.Model`.
        view: `View` that it is shown, or None for its whole input.
        class_names: K names, in the order of its outputs.

    Raises:
        keras_resnet.UsageError: if what it sees or answers is not known.
    """
    name, num_classes = model.name, model.output_shape[-1]
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
    names_lib.check(class_names, name)
    return card_for(model, view, tuple(class_names))


def card_for(model, view, class_names=()):
    """The same without a check; without class names the outputs are features.

    Raises:
        keras_resnet.UsageError: if what it sees is not known.
    """
    from keras_resnet.networks import outputs

    view = _view_of(model, view)
    return cards.Card(
        class_names=class_names,
        image_size=view.crop,
        eval_resize=view.resize,
        exif=view.exif,
        variant=model.name,
        multi_label=bool(class_names) and outputs.is_multi_label(model),
        outputs=() if class_names else tuple(outputs.named_features(model)),
    )


def _view_of(model, view):
    """The given view, or the default for a model without a card."""
    name, (_, size) = model.name, tensors.places(model.input_shape)
    require(
        _normalises(model),
        f"{name!r} does not normalise its pixels: no layer of it is one of "
        "keras_resnet.build, Rescaling or Normalization. How its images are "
        "prepared is not known. Put such a layer first: images are pixels "
        "0..255 everywhere here.",
    )
    if view is not None:
        return view
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
    return View(resize=size, crop=size)


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
