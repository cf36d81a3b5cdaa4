"""TFLite files of a small network, with metadata and without it."""

import dataclasses
import functools

import exported_networks
import keras
import numpy as np

from keras_resnet.export.folding.fold import fold
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import tflite
from keras_resnet.labels.cards import Card

SIZE = 16
# Long and short names, some with letters of two or three bytes. They are not in
# alphabetical order.
NAMES = ("null", "eins", "zwei", "drei", "vier")
NAMES += ("f\u00fcnf", "sechs", "\u4e03", "acht of ten", "neun")
# What export.py calls the file of each precision.
FILES = {
    "dynamic_int8": "model.tflite",
    "float32": "model_float32.tflite",
    "float16": "model_float16.tflite",
    "int8": "model_int8.tflite",
}


@dataclasses.dataclass(frozen=True)
class Phone:
    """A network and what it is shown.

    Attributes:
        model: `keras.Model`, from 16 x 16 pixels to 10 probabilities.
        card: its `Card`.
        images: uint8 (B, 16, 16, 3).
    """

    model: keras.Model
    card: Card
    images: np.ndarray


@functools.cache
def phone():
    """`Phone` of a network whose normalisations matter."""
    model = exported_networks.network()
    card = dataclasses.replace(
        exported_networks.card_of(model), class_names=NAMES
    )
    return Phone(model, card, exported_networks.views(card))


@functools.cache
def plain(precision):
    """Bytes of a .tflite file as the converter writes it."""
    model = fold(phone().model)
    function = serving.image_function(model, batch=1, image_size=(SIZE, SIZE))

    def prepare(converter):
        tflite.PRECISIONS[precision](converter, phone().images)

    return tflite.convert(function, model, prepare)


def export(folder, precision, **choices):
    """The path of a file that `export_tflite` writes into a folder."""
    path = folder / FILES[precision]
    tflite.export_tflite(
        phone().model,
        path,
        card=phone().card,
        precision=precision,
        calibration=phone().images if precision == "int8" else None,
        **choices,
    )
    return path
