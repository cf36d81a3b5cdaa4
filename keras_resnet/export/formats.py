"""What a network can be exported as, and what can be chosen of it."""

import dataclasses

import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export.writers import calibration
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers import onnx
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import web
from keras_resnet.export.writers import web_model
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference.artifact import SAMPLES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What can be chosen of the formats.

    Attributes:
        opset: version of ONNX.
        input_dtype: "float32" or "uint8", of TFLite's and ONNX's pixels.
        dynamic_batch: whether TFLite takes any number of images.
        resize: whether the SavedModel takes whole images of any size.
        litert_js: folder of the page's runtime; None lets npm fetch it.
        calibration: uint8 (N, S, S, 3), evaluation views of real images for
            the formats of 8 bits, or None.
    """

    opset: int = onnx.OPSET
    input_dtype: str = "float32"
    dynamic_batch: bool = False
    resize: bool = False
    litert_js: str | None = None
    calibration: np.ndarray | None = None


def _saved_model(model, path, card, options):
    return export_saved_model(model, path, card=card, resize=options.resize)


def _tflite(precision):
    def export(model, path, card, options):
        return export_tflite(
            model,
            path,
            card=card,
            precision=precision,
            batch=None if options.dynamic_batch else 1,
            input_dtype=options.input_dtype,
            calibration=options.calibration,
        )

    return export


def _onnx(precision):
    def export(model, path, card, options):
        return onnx.export_onnx(
            model,
            path,
            card=card,
            precision=precision,
            opset=options.opset,
            input_dtype=options.input_dtype,
            calibration=options.calibration,
        )

    return export


def _web(model, path, card, options):
    samples = sorted((path.parent / SAMPLES).iterdir())
    return web.export_web(
        model, path, card=card, runtime=options.litert_js, samples=samples
    )


# Format -> (name in the directory, (model, path, card, options) -> Artifact).
# "tflite" is what a phone wants: a quarter of the size, no calibration.
FORMATS = {
    "saved_model": ("saved_model", _saved_model),
    "tflite": ("model.tflite", _tflite("dynamic_int8")),
    "tflite_float32": ("model_float32.tflite", _tflite("float32")),
    "tflite_float16": ("model_float16.tflite", _tflite("float16")),
    "tflite_int8": ("model_int8.tflite", _tflite("int8")),
    "onnx": ("model.onnx", _onnx("float32")),
    "onnx_int8": ("model_int8.onnx", _onnx("int8")),
    "web": ("web", _web),
}
DEFAULT_FORMATS = ("saved_model", "tflite", "onnx")
# Those that ask for calibration images.
CALIBRATED = ("tflite_int8", "onnx_int8")


def file_names(names):
    """What these formats are called in the directory of an export.

    Raises:
        keras_resnet.UsageError: if one of them is unknown.
    """
    return [lookup(FORMATS, name, "format")[0] for name in names]


def check(names, options, *, model, card):
    """Raises `UsageError` if one of these formats could not be written.

    Args:
        names: keys of `FORMATS`.
        options: `Options`.
        model: `keras.Model`.
        card: `keras_resnet.labels.cards.Card` of the model.
    """
    require(names, f"formats is empty. Take some of: {', '.join(FORMATS)}.")
    for name in names:
        lookup(FORMATS, name, "format")
    onnx.check_opset(options.opset)
    lookup(serving.INPUT_DTYPES, options.input_dtype, "input dtype")
    serving.check(model, card)
    if set(names) & set(CALIBRATED):
        calibration.check(options.calibration, card)
    if "web" in names:
        web_model.check(model)
        litert_js.files(options.litert_js)
