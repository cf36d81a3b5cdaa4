"""The formats that a network can be exported as, and their options.

`register` adds a format: one row and one function that writes it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.export.writers import calibration
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers import onnx
from keras_resnet.export.writers import saved_model
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import web
from keras_resnet.export.writers import web_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import kinds
from keras_resnet.inference.artifact import SAMPLES
from keras_resnet.inference.layer_errors import onnx_layer_errors
from keras_resnet.inference.layer_errors import tflite_layer_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the formats.

    Attributes:
        opset: version of ONNX.
        input_dtype: "float32" or "uint8", of TFLite's and ONNX's pixels.
        dynamic_batch: whether TFLite takes any number of images.
        resize: whether the SavedModel takes whole images of any size.
        frozen: whether the SavedModel's weights are constants.
        litert_js: folder of the page's runtime; None lets npm fetch it.
        calibration: uint8 (N, S, S, 3), evaluation views of real images for
            the formats of 8 bits, or None.
    """

    opset: int = onnx.OPSET
    input_dtype: str = "float32"
    dynamic_batch: bool = False
    resize: bool = False
    frozen: bool = False
    litert_js: str | None = None
    calibration: np.ndarray | None = None


def _accept(network, options):
    del network, options


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """What a network can be exported as: a row of `FORMATS`.

    Attributes:
        name: what --formats calls it: "tflite_int8".
        file: its name in the directory of an export.
        kind: `inference.kinds.Kind` of the file: how it is recognised and
            opened, and what its operators are.
        write: (`serving.Network`, path, `Options`) -> `Artifact`. It writes
            `network.folded` to a new path, and describes what it has written
            by `writers.manifest.describe`.
        calibrated: whether it needs calibration images.
        holds_features: whether it can hold a network that is no classifier,
            whose outputs are `network.outputs`.
        check: (`serving.Network`, `Options`): raises `UsageError` for what
            `write` would refuse, before any work.
        whole: for 8 bits, the name of the float32 format that the layers are
            compared with if the file fails; "" if they cannot be.
        compare: (file of `whole`, file of this format, uint8 (N, S, S, 3)
            views) -> list of `inference.layer_errors.LayerError`.
    """

    name: str
    file: str
    kind: kinds.Kind
    write: Callable
    calibrated: bool = False
    holds_features: bool = False
    check: Callable = _accept
    whole: str = ""
    compare: Callable | None = None


# "tflite" is what a phone wants: a quarter of the size, no calibration.
FORMATS: dict[str, "Format"] = {}
DEFAULT_FORMATS: tuple[str, ...] = ("saved_model", "tflite", "onnx")


def register(format):
    """Adds a format, and its kind of file, to what every command knows.

    Call this in your own module that `--import` names: the process that
    verifies a file imports that module too.

    Args:
        format: `Format`.

    Raises:
        keras_resnet.UsageError: if the name is taken, or another format has
            the same file name.
    """
    same = [f.name for f in FORMATS.values() if f.file == format.file]
    require(
        same in ([], [format.name]),
        f"The format {format.name!r} needs a file name of its own: "
        f"{same[:1]} has it. Received: file={format.file!r}.",
    )
    kinds.register(format.kind)
    register_row(FORMATS, format.name, format, "format")


def file_names(names):
    """The names of these formats' files in the directory of an export.

    Raises:
        keras_resnet.UsageError: if one of them is unknown.
    """
    return [lookup(FORMATS, name, "format").file for name in names]


def are_calibrated(names):
    """Whether one of these formats needs calibration images."""
    return any(FORMATS[name].calibrated for name in names)


def check(names, options, network):
    """Raises `UsageError` if one of these formats could not be written.

    Args:
        names: keys of `FORMATS`.
        options: `Options`.
        network: `serving.Network`.
    """
    require(names, f"formats is empty. Take some of: {', '.join(FORMATS)}.")
    rows = [lookup(FORMATS, name, "format") for name in names]
    onnx.check_opset(options.opset)
    lookup(serving.INPUT_DTYPES, options.input_dtype, "input dtype")
    if are_calibrated(names):
        calibration.check(options.calibration, network.card)
    for row in rows:
        require(
            row.holds_features or not network.card.outputs,
            f"The format {row.name!r} shows classes. Received: a network that "
            f"gives {', '.join(network.card.outputs)}. Take tflite, onnx or "
            "saved_model.",
        )
        row.check(network, options)


def _register(name, file, kind, write, **fields):
    kind = kinds.KINDS[kind]
    fields = {"holds_features": True, **fields}
    register(Format(name=name, file=file, kind=kind, write=write, **fields))


def _saved_model(precision):
    def write(network, path, options):
        return saved_model.export_saved_model(
            network,
            path,
            card=network.card,
            resize=options.resize,
            precision=precision,
            frozen=options.frozen,
        )

    return write


def _check_saved_model(network, options):
    if options.frozen:
        saved_model.check_frozen(network)


def _tflite(precision):
    def write(network, path, options):
        return export_tflite(
            network,
            path,
            card=network.card,
            precision=precision,
            batch=None if options.dynamic_batch else 1,
            input_dtype=options.input_dtype,
            calibration=options.calibration,
        )

    return write


def _onnx(precision):
    def write(network, path, options):
        return onnx.export_onnx(
            network,
            path,
            card=network.card,
            precision=precision,
            opset=options.opset,
            input_dtype=options.input_dtype,
            calibration=options.calibration,
        )

    return write


def _web(network, path, options):
    samples = sorted((path.parent / SAMPLES).iterdir())
    return web.export_web(
        network,
        path,
        card=network.card,
        runtime=options.litert_js,
        samples=samples,
    )


def _check_web(network, options):
    web_model.check(network.model)
    litert_js.files(options.litert_js)


# How the layers of 8-bit files are compared.
_TFLITE = {"whole": "tflite_float32", "compare": tflite_layer_errors}
_ONNX = {"whole": "onnx", "compare": onnx_layer_errors}

for _name, _precision in (
    ("saved_model", "float32"),
    ("saved_model_bfloat16", "bfloat16"),
):
    _register(
        _name,
        _name,
        "saved_model",
        _saved_model(_precision),
        check=_check_saved_model,
    )
_register(
    "tflite", "model.tflite", "tflite", _tflite("dynamic_int8"), **_TFLITE
)
_register(
    "tflite_float32", "model_float32.tflite", "tflite", _tflite("float32")
)
_register(
    "tflite_float16", "model_float16.tflite", "tflite", _tflite("float16")
)
_register(
    "tflite_int8",
    "model_int8.tflite",
    "tflite",
    _tflite("int8"),
    calibrated=True,
    **_TFLITE,
)
_register("onnx", "model.onnx", "onnx", _onnx("float32"))
_register(
    "onnx_int8",
    "model_int8.onnx",
    "onnx",
    _onnx("int8"),
    calibrated=True,
    **_ONNX,
)
_register("web", "web", "web", _web, check=_check_web, holds_features=False)
