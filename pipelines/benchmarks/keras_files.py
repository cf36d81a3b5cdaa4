"""Keras networks for inference, as files: ours and keras.applications'.

Their weights are random. This changes no latency as long as the values are
usual ones: batch normalisations have random scales and the statistics of
pictures.
"""

import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from benchmarks.runtimes import SPREAD
from benchmarks.runtimes import save
from benchmarks.steps import CLASSES

import keras_resnet
from keras_resnet.export.folding.fold import fold
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.labels.cards import Card
from keras_resnet.weights import transfer


def ours(name, files, image_size, choices, calibration, pictures, folder):
    """A contender that is only built: our network's files.

    Args:
        name: key of `keras_resnet.VARIANTS`.
        files: names, PRECISION.KIND or PRECISION.BATCH.KIND or "saved_model".
        image_size: S, pixels.
        choices: dict of other arguments of `keras_resnet.build`.
        calibration: how many pictures int8 is calibrated with.
        pictures: path of uint8 (N, S, S, 3), NumPy's.
        folder: where the files and those of `save` are written.

    Returns:
        Function () -> multiply-adds that the files compute for an image.
    """
    images = np.load(pictures)

    def build():
        keras.utils.set_random_seed(0)
        shape = (image_size, image_size, 3)
        model = keras_resnet.build(
            name, input_shape=shape, classes=CLASSES, **choices
        )
        pixels = images.astype(np.float32)
        randomise(model, pixels)
        for file in files:
            path = pathlib.Path(folder, file)
            _write(model, path, images[:calibration])
        save(folder, pixels, predict(model, pixels))
        return keras_resnet.multiply_adds(fold(model))

    return build


def _write(model, path, calibration):
    size = model.input_shape[1]
    card = Card(
        class_names=tuple(f"class {i}" for i in range(CLASSES)),
        image_size=size,
        eval_resize=size * 8 // 7,
        variant=model.name,
    )
    precision, *batch = path.stem.split(".")
    choices = {"card": card, "precision": precision}
    if precision == "int8":
        choices["calibration"] = calibration
    if path.suffix == ".tflite":
        export_tflite(model, path, batch=int(*batch), **choices)
    elif path.suffix == ".onnx":
        export_onnx(model, path, **choices)
    else:
        words = path.name.split(".")[:-1]  # of bfloat16.frozen.saved_model
        choices = {"precision": "bfloat16"} if "bfloat16" in words else {}
        frozen = "frozen" in words
        export_saved_model(model, path, card=card, frozen=frozen, **choices)


def keras_applications(
    name, files, image_size, choices, calibration, pictures, folder
):
    """Their network's files, converted as Keras and TensorFlow say.

    Args: as `ours` takes them. `choices` is empty or has "depths"; the files
        are for any batch.
    """
    del calibration  # nothing here is int8 throughout
    images = np.load(pictures)

    def build():
        keras.utils.set_random_seed(0)
        model = _their_model(name, image_size, **choices)
        # Their networks take pixels that are already normalised.
        pixels = images.astype(np.float32) / 127.5 - 1
        randomise(model, pixels)
        # The other files are made from it, so it is always written.
        saved_model = f"{folder}/saved_model"
        model.export(saved_model, verbose=False)
        for file in set(files) - {"saved_model"}:
            _convert(model, saved_model, f"{folder}/{file}")
        save(folder, pixels, predict(model, pixels))
        return multiply_adds(model)

    return build


def _convert(model, saved_model, path):
    if path.endswith(".onnx"):
        # Otherwise it copies the graph again and again, gigabytes of it.
        os.environ["TF2ONNX_CATCH_ERRORS"] = "FALSE"
        model.export(path, format="onnx", verbose=False)
        return
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if path.endswith("dynamic_int8.tflite"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    pathlib.Path(path).write_bytes(converter.convert())


def _their_model(name, image_size, depths=None):
    shape = (image_size, image_size, 3)
    if depths is None:
        network = getattr(keras.applications, name)
        return network(weights=None, input_shape=shape)
    # What ResNet50() and its siblings call; their own depths are fixed.
    from keras.src.applications import resnet

    preact = name.endswith("V2")
    version = "v2" if preact else "v1"
    stack = getattr(resnet, f"stack_residual_blocks_{version}")

    def stack_fn(x):
        for number, depth in enumerate(depths):
            x = stack(x, 16 << number, depth, name=f"conv{number + 2}")
        return x

    return resnet.ResNet(
        stack_fn, preact, True, weights=None, input_shape=shape
    )


def randomise(model, pixels):
    """Random scales and shifts, and the statistics of pictures.

    A channel that hardly changes would be scaled up until only rounding errors
    are left, so the square of the mean is added to the variance.

    Args:
        model: `keras.Model` that ends in a softmax; changed.
        pixels: float32 (N, H, W, 3), as the model takes them.
    """
    rng = np.random.default_rng(0)
    norms = transfer.batch_norms(model)
    for layer in norms:
        layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
        layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
        layer.momentum = 0.0  # what it sees is what it keeps
    model(pixels, training=True)
    for layer in norms:
        mean, variance = layer.moving_mean, layer.moving_variance
        variance.assign(variance + keras.ops.square(mean))
    logits = np.log(predict(model, pixels))
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    dense[-1].kernel.assign(dense[-1].kernel * (SPREAD / logits.std()))


def predict(model, pixels):
    """float32 (N, K): the model's own probabilities."""
    return keras.ops.convert_to_numpy(model(pixels, training=False))


def multiply_adds(model):
    """Multiply-adds of one image in a functional model of plain layers."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            _, *positions, _ = layer.output.shape
            total += int(np.prod([*positions, *layer.kernel.shape]))
    return total
