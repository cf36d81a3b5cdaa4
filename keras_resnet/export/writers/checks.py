"""Whether a model can be exported with its card."""

import keras

from keras_resnet.errors import require
from keras_resnet.export.folding import copies
from keras_resnet.export.folding import graph
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.labels.answers import check_head
from keras_resnet.networks import outputs


def check_model(model, card):
    """Raises `UsageError` unless a model can be exported with a card.

    It is functional or Sequential, from `keras_resnet.build` or made around
    such a network.
    """
    copies.check(model)
    require(
        len(model.inputs) == 1 and (card.outputs or len(model.outputs) == 1),
        "The model must take one batch of images and give one of "
        "probabilities, or be exported for its features (outputs=...). "
        f"Received: a model of {len(model.inputs)} inputs and "
        f"{len(model.outputs)} outputs.",
    )
    shape = tuple(model.inputs[0].shape)
    sizes = {n for n in shape[1:3] if n is not None}
    require(
        len(shape) == 4 and shape[3] == 3 and sizes <= {card.image_size},
        f"The model must take RGB images of {card.image_size} x "
        f"{card.image_size} pixels, as its card says, or of any size. "
        f"Received: a model of input shape {shape[1:]}.",
    )
    (_check_features if card.outputs else _check_classes)(model, card)


def _check_features(model, card):
    named = outputs.named_features(model)
    require(
        tuple(named) == card.outputs,
        f"Its card says that the model gives {', '.join(card.outputs)}. "
        f"Received: a model that gives {', '.join(named) or PROBABILITIES}.",
    )
    require(
        len(named) == 1 or isinstance(model.output, dict),
        "Several outputs need names: give the model a dict of them. Received: "
        f"{len(named)} outputs in a {type(model.output).__name__}.",
    )
    wrong = [name for name, x in named.items() if len(x.shape) not in (2, 4)]
    require(
        not wrong,
        "Features are exported as (B, C) or as maps (B, H, W, C). Received: "
        f"{', '.join(f'{name} of shape {named[name].shape}' for name in wrong)}"
        ".",
    )


def _check_classes(model, card):
    last = _last(model)
    activation = _activation(last)
    require(
        activation is not None,
        "The model must end in its probabilities: build it with "
        "include_top=True and classifier_activation='softmax' or 'sigmoid'. "
        f"Received: a model that ends in {last.name!r}.",
    )
    check_head(card, model.name, activation == "sigmoid")
    shape = tuple(model.outputs[0].shape)
    require(
        shape[1:] == (len(card.class_names),),
        f"The model has {shape[-1]} classes, its labels.txt "
        f"{len(card.class_names)} names: they are not of the same model. "
        f"Received: a model of output shape {shape[1:]}.",
    )


def _last(model):
    """The operation that gives a model's output, in nested models too."""
    last = graph.producer(graph.network(model).outputs[0])
    return _last(last) if graph.is_network(last) else last


def _activation(operation):
    """ "softmax", "sigmoid" or None: how an operation makes probabilities."""
    activation = getattr(operation, "activation", None)
    # A class of keras.layers or of keras.ops.
    alone = type(operation).__name__
    if activation is keras.activations.sigmoid or alone == "Sigmoid":
        return "sigmoid"
    alone = alone == "Softmax" and operation.axis == -1
    return (
        "softmax" if activation is keras.activations.softmax or alone else None
    )
