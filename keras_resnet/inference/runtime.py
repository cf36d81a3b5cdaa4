"""Any file that holds a network, opened in the runtime of its format."""

import pathlib
import zipfile

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import openvino_runtime
from keras_resnet.inference import predictors
from keras_resnet.inference.artifact import WEB_MODEL


def load(path):
    """Opens a network in the runtime of its format.

    The content tells the format, not the name.

    Args:
        path: of a .keras, .tflite or .onnx file or of the directory of a
            SavedModel or of a page.

    Returns:
        `predictors.Predictor`.

    Raises:
        keras_resnet.UsageError: if there is no such file, or it is no
            network or damaged.
    """
    path = pathlib.Path(path)
    kind = recognise(path)
    try:
        return FORMATS[kind](path)
    except UsageError:
        raise
    except Exception as error:  # each runtime has its own, down to bare ones
        raise UsageError(_damaged(path, kind, error)) from error


def load_keras(path):
    """The `keras.Model` of a .keras file, not compiled.

    Raises:
        keras_resnet.UsageError: if there is no such file, or it is another
            one or damaged.
    """
    path = pathlib.Path(path)
    kind = recognise(path)
    require(
        kind == "keras",
        "Expected a .keras file, as keras-resnet train and model.save() write. "
        f"Received: {str(path)!r}, of the format {kind}.",
    )
    require(
        path.suffix == ".keras",
        f"Keras reads {str(path)!r} only under a name that ends in .keras: "
        "rename it.",
    )
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever zip, JSON, HDF5 and Keras raise
        raise UsageError(_damaged(path, kind, error)) from error


def recognise(path):
    """The format of a file or directory by its content: a key of `FORMATS`.

    Raises:
        keras_resnet.UsageError: if there is nothing, or it is no network.
    """
    path = pathlib.Path(path)
    require(
        path.exists(),
        f"There is no model {str(path)!r}. Expected a .keras, .tflite or "
        ".onnx file or a SavedModel directory.",
    )
    if path.is_dir():
        if all((path / name).is_file() for name in ("page.json", WEB_MODEL)):
            return "web"
        require(
            (path / "saved_model.pb").is_file(),
            f"{str(path)!r} is a directory without saved_model.pb, so not a "
            f"SavedModel.{_models_in(path)}",
        )
        return "saved_model"
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:8] == b"TFL3":
        return "tflite"
    if start[:2] == b"PK":
        return _zip_format(path)
    require(
        start[:4] != b"\x89HDF",
        f"{str(path)!r} is an HDF5 file: it holds weights alone. Pass the "
        ".keras file that model.save() writes.",
    )
    # ONNX has no mark; onnxruntime reads it or says why not.
    return "onnx"


def _zip_format(path):
    require(
        zipfile.is_zipfile(path),
        f"{str(path)!r} is damaged: its end is missing. Copy or write it "
        "again.",
    )
    with zipfile.ZipFile(path) as archive:
        require(
            "config.json" in archive.namelist(),
            f"{str(path)!r} is a zip file without config.json, so not a "
            ".keras file.",
        )
    return "keras"


def _models_in(directory):
    found = sorted(
        str(child)
        for child in directory.iterdir()
        if child.suffix in (".keras", ".tflite", ".onnx")
        or (child / "saved_model.pb").is_file()
    )
    return f" It holds: {', '.join(found)}." if found else ""


def _damaged(path, format, error):
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"{str(path)!r} cannot be read as a network ({format}): it is "
        f"damaged or another kind of file. The reason given: {lines[0]}"
    )


# Format -> how to open a path of it.
FORMATS = {
    "keras": lambda path: predictors.KerasPredictor(load_keras(path)),
    "saved_model": predictors.SavedModelPredictor,
    "tflite": predictors.TFLitePredictor,
    "onnx": predictors.OnnxPredictor,
    "web": predictors.WebPredictor,
}

# Who runs an artifact -> how to open it there.
RUNTIMES = {"own": load, "openvino": openvino_runtime.OpenVinoPredictor}
