"""Weights from files."""

import pathlib
import tempfile
import zipfile

import h5py
import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import require

_MEMBER = "model.weights.h5"  # of a .keras file, which is a zip


def load_weights(model, source):
    """Loads the weights of `model` from a file that Keras wrote.

    Every tensor of the file must have its place in the model and the other
    way round, with equal shapes and finite values; otherwise nothing is
    assigned. Keras itself ignores what a file has in addition.

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
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = _weights_file(path, folder)
            _check(model, file, folder)
            model.load_weights(str(file))
        except UsageError as error:
            raise UsageError(
                f"{str(path)!r} does not hold the weights of {model.name!r}: "
                f"{error}"
            ) from error
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise UsageError(
                f"{str(path)!r} is damaged or another kind of file: {error}"
            ) from error


def _weights_file(path, folder):
    if path.suffix == ".h5":
        return path
    with zipfile.ZipFile(path) as archive:
        return archive.extract(_MEMBER, folder)


def _check(model, file, folder):
    """Compares a file with what the model itself would write."""
    own = pathlib.Path(folder) / "own.weights.h5"
    model.save_weights(own)
    expected, found = _shapes(own), _shapes(file)
    differences = [
        *(f"- {name} is not in the file" for name in expected - found),
        *(f"+ {name} is not in the model" for name in found - expected),
    ]
    require(
        not differences,
        f"{len(differences)} differences.\n  "
        + "\n  ".join(sorted(differences)[:10])
        + "\nBuild the variant that the file was saved from, with its options.",
    )


def _shapes(file):
    """{"path shape"} of all weights in a file; refuses NaN and infinity."""
    shapes = set()

    def visit(name, item):
        # A compiled model's file holds its optimizer too.
        if not isinstance(item, h5py.Dataset) or name.startswith("optimizer"):
            return
        require(
            np.isfinite(item[()]).all(),
            f"{name} holds values that are not finite.",
        )
        shapes.add(f"{name} {item.shape}")

    with h5py.File(file) as root:
        root.visititems(visit)
    return shapes
