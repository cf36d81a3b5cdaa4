"""The function that every format computes: pixels to probabilities."""

import keras
import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.export.artifact import IMAGES
from keras_resnet.export.artifact import PROBABILITIES


def check(model, card):
    """Raises `UsageError` unless a model can be exported with a card.

    Args:
        model: `keras.Model` from `keras_resnet.build`.
        card: `keras_resnet.labels.Card`.
    """
    shape = tuple(model.input_shape)
    sizes = {n for n in shape[1:3] if n is not None}
    require(
        len(shape) == 4 and shape[3] == 3 and sizes <= {card.image_size},
        f"The model must take RGB images of {card.image_size} x "
        f"{card.image_size} pixels, as its card says, or of any size. "
        f"Received: a model of input shape {shape[1:]}.",
    )
    last = model.layers[-1]
    require(
        getattr(last, "activation", None) is keras.activations.softmax,
        "The model must end in its probabilities: build it with "
        "include_top=True and classifier_activation='softmax'. Received: a "
        f"model that ends in {last.name!r}.",
    )
    require(
        model.output_shape[-1] == len(card.class_names),
        f"The model has {model.output_shape[-1]} classes, its labels.txt "
        f"{len(card.class_names)} names: they are not of the same model.",
    )


# Of the pixels that an artifact takes.
INPUT_DTYPES = {"float32": tf.float32, "uint8": tf.uint8}


def image_function(model, *, batch, image_size, dtype="float32"):
    """The model in inference mode, as a function of named images.

    Args:
        model: `keras.Model`.
        batch: int, or None for any.
        image_size: (H, W), None where it is free.
        dtype: key of `INPUT_DTYPES`.

    Returns:
        `tf.function` from (batch, H, W, 3) `images`, RGB 0..255, to
        {"probabilities": float32 (batch, K)}.
    """
    spec = tf.TensorSpec(
        (batch, *image_size, 3), INPUT_DTYPES[dtype], name=IMAGES
    )

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        return {PROBABILITIES: model(images, training=False)}

    return serve


def fixed_size(model, card):
    """(H, W) for the formats that need one: the model's own or the card's."""
    return tuple(n or card.image_size for n in model.input_shape[1:3])


def save(model, path, signatures):
    """Writes a SavedModel that stores each weight of `model` once.

    Args:
        model: `keras.Model` that the functions call.
        path: of the directory.
        signatures: dict of name to `tf.function` with an input signature.
    """
    # A tracked Keras model would store every weight a second time.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    tf.saved_model.save(
        module,
        str(path),
        signatures={
            name: function.get_concrete_function()
            for name, function in signatures.items()
        },
    )
