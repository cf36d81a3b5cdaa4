"""A user's format: the folded network in one .npz file."""

import zipfile

import keras
import numpy as np

from keras_resnet.export import formats
from keras_resnet.export.writers import manifest
from keras_resnet.inference import kinds
from keras_resnet.inference import predictors


def write(network, path, options):
    """Writes the architecture as JSON, and the weights in order."""
    del options
    weights = network.folded.get_weights()
    arrays = {f"weight{i}": value for i, value in enumerate(weights)}
    np.savez(path, architecture=network.folded.to_json(), **arrays)
    return manifest.describe(path, network, format="npz", batch=None)


class NpzPredictor(predictors.Predictor):
    """Runs such a file with Keras."""

    format = "npz"

    def __init__(self, path):
        with np.load(path) as stored:
            architecture = str(stored["architecture"])
            count = len(stored.files) - 1
            weights = [stored[f"weight{i}"] for i in range(count)]
        self._model = keras.models.model_from_json(architecture)
        self._model.set_weights(weights)
        self.image_size = self._model.input_shape[1]
        self.num_classes = self._model.output_shape[-1]

    def _predict(self, images):
        return self._model.predict_on_batch(images)


def recognise(path):
    """Whether a file is a zip archive with an architecture in it."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "architecture.npy" in archive.namelist()


def list_operators(path):
    """The kinds of the file's layers."""
    with np.load(path) as stored:
        architecture = str(stored["architecture"])
    model = keras.models.model_from_json(architecture)
    return [type(layer).__name__ for layer in model.layers]


formats.register(
    formats.Format(
        name="npz",
        file="model.npz",
        write=write,
        kind=kinds.Kind(
            name="npz",
            title="a network in NumPy's format",
            suffix=".npz",
            recognise=recognise,
            predictor=NpzPredictor,
            operators=list_operators,
        ),
    )
)
