"""Opens any file that holds a network in the runtime of its format."""

import os
import pathlib
import re

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.inference import kinds
from keras_resnet.inference import openvino_runtime
from keras_resnet.inference import predictors


def load_predictor(path: str | os.PathLike) -> predictors.Predictor:
    """Opens a network in the runtime of its format.

    The format is recognised by the content, not by the name.

    Args:
        path: of a .keras, .tflite or .onnx file, of the directory of a
            SavedModel or of a page, or of a kind that was registered
            (`kinds.register`).

    Returns:
        `predictors.Predictor`.

    Raises:
        keras_resnet.UsageError: if there is no such file, or it is no
            network or damaged.
    """
    path = pathlib.Path(path)
    kind = kinds.recognise(path)
    return _open(path, kind, kind.predictor)


# Its name in version 0.1.
load = load_predictor


def load_keras(path):
    """The `keras.Model` of a .keras file, not compiled.

    Raises:
        keras_resnet.UsageError: if there is no such file, or it is of another
            kind or damaged.
    """
    path = pathlib.Path(path)
    kind = kinds.recognise(path)
    require(
        kind.name == "keras",
        "Expected a .keras file, as keras-resnet train and model.save() write. "
        f"Received: {str(path)!r}, of the format {kind.name}. What is exported "
        "only predicts: take the .keras file that it was made from. "
        "keras-resnet verify compares the two.",
    )
    return _open(path, kind, predictors.read_keras)


def _open(path, kind, reader):
    try:
        return reader(path)
    except UsageError:
        raise
    except Exception as error:  # each runtime raises its own, even bare ones
        unknown = _unknown(error)
        require(
            not unknown,
            f"{str(path)!r} holds what is not known here: {unknown} If it is "
            "of a module of yours, bring that by --import=MODULE; in Python "
            "import it first.",
        )
        raise UsageError(
            f"{str(path)!r} cannot be read as a network ({kind.name}): it is "
            "damaged or another kind of file. The reason given: "
            f"{first_line(error)}"
        ) from error


def _unknown(error):
    """The name in a file that nothing has registered; None for other errors.

    Keras wraps the reason in an error for each layer around it.
    """
    while error is not None:
        found = re.search("Could not locate class '([^']+)'", str(error))
        if found:
            return f"the class {found[1]!r}."
        if isinstance(error, UsageError) and str(error).startswith("Unknown"):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


# Who runs an artifact -> how to open it there.
RUNTIMES = {
    "own": load_predictor,
    "openvino": openvino_runtime.OpenVinoPredictor,
}
