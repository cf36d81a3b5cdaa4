"""Weights from files."""

import pathlib

from keras_resnet.errors import UsageError
from keras_resnet.errors import require


def load_weights(model, source):
    """Loads the weights of `model` from a file that Keras wrote.

    Args:
        model: `keras.Model`, of the network that the file was saved from.
        source: path of a `.weights.h5` file (`model.save_weights`) or of a
            `.keras` file (`model.save`), of which only the weights are read.

    Raises:
        keras_resnet.UsageError: if there is no such file, its format is
            another one, or its weights are not those of `model`.
    """
    path = pathlib.Path(source)
    require(
        path.name.endswith((".weights.h5", ".keras")),
        "weights must be None or the path of a .weights.h5 or .keras file. "
        f"Received: weights={str(source)!r}.",
    )
    require(path.is_file(), f"There is no weights file {str(path)!r}.")
    try:
        model.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise UsageError(
            f"{str(path)!r} does not hold the weights of {model.name!r}: "
            f"{error}"
        ) from error
