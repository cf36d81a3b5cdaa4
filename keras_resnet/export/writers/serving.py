"""The function that every format computes: pixels to probabilities."""

import contextlib
import functools
import re

import keras
import tensorflow as tf

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.export.folding import copies
from keras_resnet.export.folding import graph
from keras_resnet.export.folding import proof
from keras_resnet.export.folding.fold import fold
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.labels.answers import check_head
from keras_resnet.networks import execution


def check_model(model, card):
    """Raises `UsageError` unless a model can be exported with a card.

    It is functional or Sequential, from `keras_resnet.build` or made around
    such a network.
    """
    copies.check(model)
    require(
        len(model.inputs) == len(model.outputs) == 1,
        "The model must take one batch of images and give one of "
        f"probabilities. Received: a model of {len(model.inputs)} inputs and "
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
    """The operation that gives a model's output, in whatever network."""
    last = graph.producer(graph.network(model).outputs[0])
    return _last(last) if graph.is_network(last) else last


def _activation(operation):
    """ "softmax", "sigmoid" or None: how an operation makes probabilities."""
    activation = getattr(operation, "activation", None)
    # Of keras.layers and of keras.ops.
    alone = type(operation).__name__
    if activation is keras.activations.sigmoid or alone == "Sigmoid":
        return "sigmoid"
    alone = alone == "Softmax" and operation.axis == -1
    return (
        "softmax" if activation is keras.activations.softmax or alone else None
    )


class Network:
    """What every writer takes: the network of a file, and its card.

    Args:
        model, card: as `check_model` takes them.

    Attributes:
        model: the `keras.Model` itself.
        card: its `keras_resnet.labels.cards.Card`.
        name: str, of the network, for people.
        image_size: (H, W) for the formats that need one: the model's own or
            the card's.

    Raises:
        keras_resnet.UsageError: as `check_model`, and on another backend than
            TensorFlow.
    """

    def __init__(self, model, card):
        # Each format is made of TensorFlow's graph of the network.
        execution.require_tensorflow("An export")
        check_model(model, card)
        self.model, self.card = model, card
        self.name = card.variant or model.name
        shape = model.input_shape[1:3]
        self.image_size = tuple(n or card.image_size for n in shape)

    @classmethod
    def of(cls, model, card):
        """That of a model; one that is there already, as it is."""
        return model if isinstance(model, cls) else cls(model, card)

    @functools.cached_property
    def folded(self):
        """The float32 `keras.Model` for any batch, folded and proved equal.

        It is made when it is first read, once for all formats. A writer
        refuses bad arguments before it reads this.

        Raises:
            keras_resnet.UsageError: if a layer cannot be copied, or the
                network would give other answers than
                `model(images, training=False)`.
        """
        copy = fold(self.model)
        proof.check(self.model, copy, self.image_size)
        return copy


# Of the pixels that an artifact takes.
INPUT_DTYPES = {"float32": tf.float32, "uint8": tf.uint8}


def image_function(model, *, batch, image_size, dtype="float32"):
    """The model in inference mode, as a function of named images.

    A batch of None is any; a side of None in (H, W) is free; `dtype` is a key
    of `INPUT_DTYPES`.

    Returns:
        `tf.function` from (batch, H, W, 3) `images`, RGB 0..255, to
        {"probabilities": float32 (batch, K)}.
    """
    spec = tf.TensorSpec(
        (batch, *image_size, 3), INPUT_DTYPES[dtype], name=IMAGES
    )

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        (probabilities,) = keras.tree.flatten(model(images, training=False))
        return {PROBABILITIES: probabilities}

    return serve


@contextlib.contextmanager
def converting(format, model):
    """Turns what a converter raises into one line that names the layer.

    `format` is what is written, in words. A full disk and the like are raised
    as they are.
    """
    try:
        yield
    except (UsageError, OSError, MemoryError):
        raise
    except Exception as error:  # each converter has its own, down to bare ones
        if files.no_room(error):
            raise
        raise UsageError(
            f"The network cannot be written as {format}, which has no form "
            f"for {_layer_in(str(error), model)}. Export another format. The "
            f"reason given: {first_line(error).rpartition(')): ')[2]}"
        ) from error


def _layer_in(message, model):
    """The layer that a converter's message is about, by names of operators."""
    names = {
        operation.name
        for graph_ in graph.networks(model)
        for operation in graph_.operations
    }
    # Keras numbers a layer that is called again: `odd_1/erfinv`.
    for scope in re.findall(r"([^\s/\"']+?)(?=(?:_\d+)?/)", message):
        if scope in names:
            return f"layer {scope!r}"
    return "one of its layers"


def save(model, path, signatures):
    """Writes a SavedModel that stores each weight of `model` once.

    `signatures` are {name: `tf.function` with an input signature}.
    """
    # A tracked Keras model would store every weight a second time.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    with converting("a SavedModel", model):
        tf.saved_model.save(
            module,
            str(path),
            signatures={
                name: function.get_concrete_function()
                for name, function in signatures.items()
            },
        )
