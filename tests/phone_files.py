"""TFLite files of a small network, by the converter alone: no metadata yet."""

import dataclasses
import tempfile

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.data import datasets
from keras_resnet.data import transforms
from keras_resnet.export import pipeline
from keras_resnet.export import serving
from keras_resnet.export.float32 import float32_copy
from keras_resnet.labels import Card

SIZE = 16
# Long, short and with letters of two and of three bytes; not in the order of
# the alphabet.
NAMES = ("null", "eins", "zwei", "drei", "vier")
NAMES += ("fünf", "sechs", "七", "acht of ten", "neun")


@dataclasses.dataclass(frozen=True)
class PhoneFiles:
    """A network and its files.

    Attributes:
        model: `keras.Model`, from 16 x 16 pixels to 10 probabilities.
        card: its `Card`.
        images: uint8 (B, 16, 16, 3), with pixels 0 and 255.
        float32: bytes of a .tflite file.
        uint8: bytes of one in int8, with uint8 input and output.
    """

    model: keras.Model
    card: Card
    images: np.ndarray
    float32: bytes
    uint8: bytes


def make(num_images=16):
    """`PhoneFiles` of a network whose normalisations do something."""
    model = _network()
    card = Card(
        class_names=NAMES,
        image_size=SIZE,
        eval_resize=18,
        variant="resnet20",
        dataset="digits",
    )
    split = datasets.load("digits", "validation")
    stored, _ = pipeline.read_images(split, num_images)
    images = [
        transforms.evaluation(image, resize=18, size=SIZE) for image in stored
    ]
    images = np.stack(images)
    return PhoneFiles(
        model, card, images, convert(model), convert(model, images)
    )


def convert(model, calibration=None):
    """Bytes of a .tflite file: float32, or with images int8."""
    model = float32_copy(model)
    function = serving.image_function(model, batch=1, image_size=(SIZE, SIZE))
    with tempfile.TemporaryDirectory() as folder:
        serving.save(model, folder, {"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if calibration is not None:
            _quantize(converter, calibration)
        return converter.convert()


def predict(content, images):
    """Outputs of LiteRT on one thread for bytes of a .tflite file: (B, K)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (taken,) = interpreter.get_output_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(
            given["index"], image[None].astype(given["dtype"])
        )
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(taken["index"])[0])
    return np.stack(outputs)


def _network():
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        "resnet20",
        depths=(1, 1, 1),
        classes=len(NAMES),
        input_shape=(SIZE, SIZE, 3),
    )
    rng = np.random.default_rng(0)
    draws = {
        "gamma": lambda shape: rng.uniform(0.5, 1.5, shape),
        "beta": lambda shape: rng.normal(0, 0.3, shape),
        "moving_mean": lambda shape: rng.normal(0, 0.3, shape),
        "moving_variance": lambda shape: rng.uniform(0.5, 2, shape),
    }
    for weight in model.weights:
        if weight.name in draws:
            weight.assign(draws[weight.name](weight.shape))
    return model


def _quantize(converter, images):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [image[None].astype(np.float32)] for image in images
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
