"""TFLite: for phones, browsers and small boards."""

import os
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export.writers import calibration as calibration_lib
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import targets
from keras_resnet.export.writers.metadata_writer import add_metadata
from keras_resnet.inference.artifact import Artifact
from keras_resnet.labels.cards import Card


def _float32(converter, images=None):
    del converter, images


def _float16(converter, images):
    del images
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic_int8(converter, images):
    del images
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter, images):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [image[np.newaxis].astype(np.float32)]
        for image in calibration_lib.with_all_values(images)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8


# Precision -> what sets up the converter. In order: float32; 16-bit weights and
# 32-bit arithmetic; 8-bit weights per channel, activations quantised at run
# time; everything in 8 bits, with ranges from calibration images.
PRECISIONS = {
    "float32": _float32,
    "float16": _float16,
    "dynamic_int8": _dynamic_int8,
    "int8": _int8,
}


def export_tflite(
    model: keras.Model | serving.Network,
    path: str | os.PathLike,
    *,
    card: Card,
    precision: str = "dynamic_int8",
    batch: int | None = 1,
    input_dtype: str = "float32",
    calibration: np.ndarray | None = None,
) -> Artifact:
    """Folds a model and writes it as TFLite, with labels and card inside.

    Its signature `serving_default` takes (batch, H, W, 3) `images`, RGB 0..255,
    and gives (batch, K) `probabilities`, or features. The float formats and
    "dynamic_int8" give float32; "int8" takes and gives uint8, its probabilities
    in units of 1 / 256. The default batch is 1, because LiteRT in browsers and
    on GPUs takes no other.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy, or
            the `serving.Network` that an export of several formats shares.
        path: of the file; an earlier one is replaced once complete.
        card: `keras_resnet.labels.cards.Card` of the model; its `image_size` is
            H and W for a model of any size.
        precision: key of `PRECISIONS`.
        batch: int, or None for any.
        input_dtype: "float32", or "uint8" for pixels as cameras give them.
        calibration: uint8 (N, H, W, 3), evaluation views of real images; for
            "int8" only, which needs them.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: for another precision or input, or if the
            network cannot be written.
    """
    network = serving.Network.of(model, card)
    targets.check(path, "tflite")
    prepare = lookup(PRECISIONS, precision, "precision of TFLite")
    lookup(serving.INPUT_DTYPES, input_dtype, "input dtype")
    if precision == "int8":
        calibration_lib.check(calibration, network.card)
    # The converter itself makes the input of "int8" uint8.
    dtype = "float32" if precision == "int8" else input_dtype
    saved = network.once(
        ("tflite", batch, dtype),
        lambda: _save(
            network.function(batch=batch, dtype=dtype), network.folded
        ),
    )
    content = _converted(
        saved.name,
        network.folded,
        lambda converter: prepare(converter, calibration),
    )
    if precision == "int8":
        input_dtype = "uint8"
        _check_pixels_are_whole(content)
    content = add_metadata(content, card=network.card, name=network.name)
    with targets.replacing_network(path) as beside:
        pathlib.Path(beside).write_bytes(content)
    return manifest.describe(
        path,
        network,
        format="tflite",
        precision=precision,
        batch=batch,
        input_dtype=input_dtype,
        output_dtype="uint8" if precision == "int8" else "float32",
    )


def convert(function, model, prepare=_float32):
    """The bytes of a TFLite file of a `tf.function` that calls a model.

    `prepare` sets a `tf.lite.TFLiteConverter` up.
    """
    with _save(function, model) as folder:
        return _converted(folder, model, prepare)


def _save(function, model):
    """A SavedModel to convert, in a `TemporaryDirectory`.

    Not `from_concrete_functions`: with a Keras model as the trackable it drops
    the weights, without one it drops the names.
    """
    folder = tempfile.TemporaryDirectory()
    with serving.converting("TFLite", model):
        serving.save(model, folder.name, {"serving_default": function})
    return folder


def _converted(folder, model, prepare):
    """The bytes; `prepare` sets a `tf.lite.TFLiteConverter` up."""
    with serving.converting("TFLite", model):
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        prepare(converter)
        return converter.convert()


def _check_pixels_are_whole(content):
    """A pixel must equal its quantised value: users pass it as it is."""
    from ai_edge_litert.interpreter import Interpreter

    (image,) = Interpreter(model_content=content).get_input_details()
    scale, zero_point = image["quantization"]
    require(
        abs(scale - 1) < 1e-6 and zero_point == 0,
        "The converter quantised the pixels themselves: by a scale of "
        f"{scale} and a zero point of {zero_point}, not 1 and 0.",
    )
