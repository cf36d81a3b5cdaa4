"""TFLite and ONNX files of 8 bits, by their own tools, for tests of readers."""

import pathlib

import tensorflow as tf
from exported_networks import card_of
from exported_networks import digits
from onnxruntime import quantization

from keras_resnet.export import serving
from keras_resnet.export.onnx import export_onnx
from keras_resnet.export.verify import evaluation_views


def write_tflite(model, folder):
    """Writes float32.tflite, dynamic_int8.tflite and int8.tflite."""
    folder, views = pathlib.Path(folder), _calibration(model)
    function = serving.image_function(
        model, batch=1, image_size=model.input_shape[1:3]
    )
    serving.save(model, folder / "graph", {"serving_default": function})
    for name in ("float32", "dynamic_int8", "int8"):
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder / "graph")
        )
        if name != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if name == "int8":
            converter.representative_dataset = lambda: ([v] for v in views)
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            ]
            converter.inference_input_type = tf.uint8
            converter.inference_output_type = tf.uint8
        (folder / f"{name}.tflite").write_bytes(converter.convert())


def write_onnx(model, folder):
    """Writes float32.onnx and int8.onnx."""
    folder, views = pathlib.Path(folder), iter(_calibration(model))

    class Reader:
        def get_next(self):
            view = next(views, None)
            return None if view is None else {"images": view}

    path = folder / "float32.onnx"
    export_onnx(model, path, card=card_of(model))
    quantization.quantize_static(
        str(path),
        str(folder / "int8.onnx"),
        Reader(),
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
    )


def _calibration(model):
    """Batches of one training image."""
    images, _ = digits(32, "train")
    views = evaluation_views(images, card_of(model))
    return [view[None].astype("float32") for view in views]
