"""A network in each runtime, as a function of images.

Shapes: B batch, S side of the square images, K classes.
"""

import abc
import pathlib
import threading

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.inference import compiled
from keras_resnet.inference import tensors
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.inference.artifact import WEB_MODEL


class Predictor(abc.ABC):
    """A network in its own runtime. Threads may share it.

    Attributes:
        format: name of a `kinds.Kind`.
        image_size: S, or None for images of any size.
        num_classes: K; None for a network that is no classifier.
        features: the names of such a network's outputs; else empty.
        batch: how many images the network takes at once, or None for any.
        resizes: whether `predict` takes whole images, all of one size, and
            makes the evaluation views itself.
    """

    format: str
    image_size: int | None
    num_classes: int | None
    features: tuple[str, ...] = ()
    batch: int | None = None
    resizes: bool = False

    def predict(self, images):
        """Probabilities of images: float32 (B, K), NumPy.

        Arguments and errors are those of a call; a network that is no
        classifier is refused.
        """
        require(
            not self.features,
            f"The network ({self.format}) is no classifier: it gives "
            f"{', '.join(self.features)}. Call it: predictor(images).",
        )
        return self(images)[PROBABILITIES]

    def __call__(self, images):
        """What the network gives for images, by name.

        Args:
            images: uint8 or float (B, S, S, 3), RGB 0..255, B >= 1. Floats in
                [0, 1] cause a warning, once.

        Returns:
            {name: float32 array (B, ...)}: "probabilities" for a classifier;
            "embedding", "C4" and the like for other networks.

        Raises:
            keras_resnet.UsageError: for other shapes, and if the network
                fails: damage in a file may show only when it runs.
        """
        images = np.asarray(images)
        tensors.warn_of_unit_range(images)
        images = images.astype(np.float32, copy=False)
        self._check(images.shape)
        parts = tensors.parts(images, self.batch)
        found = [self._run(part) for part in parts]
        return {
            name: np.concatenate([f[name] for f in found])[: len(images)]
            for name in found[0]
        }

    def _check(self, shape):
        size = self.image_size
        require(
            len(shape) == 4
            and shape[0] > 0
            and shape[3] == 3
            and size in (None, shape[1])
            and size in (None, shape[2]),
            f"Expected RGB images of shape (images, {size or 'height'}, "
            f"{size or 'width'}, 3). Received: shape {shape}.",
        )

    def _run(self, images):
        try:
            found = self._predict(images)
            if not self.features:
                found = {PROBABILITIES: found}
            found = {n: np.asarray(v, np.float32) for n, v in found.items()}
        except (UsageError, MemoryError):
            raise
        except Exception as error:  # each runtime raises its own
            raise UsageError(
                f"The network ({self.format}) fails when it runs: it is "
                "damaged or does not take such images. The reason given: "
                f"{first_line(error)}"
            ) from error
        require(
            all(np.isfinite(value).all() for value in found.values()),
            f"The network ({self.format}) gives what is no number: it is "
            "damaged, or did not learn.",
        )
        return found

    @abc.abstractmethod
    def _predict(self, images):
        """float32 (batch, S, S, 3) to (batch, K), or {name: features}."""


class KerasPredictor(Predictor):
    """A Keras model in inference mode, compiled to one graph."""

    format = "keras"

    def __init__(self, model):
        self.batch, self.image_size, *_ = model.input_shape
        from keras_resnet.networks import outputs

        named = outputs.named_features(model)
        self.features = tuple(named)
        self.num_classes = None if named else model.output_shape[-1]
        self._model = model  # its function does not keep it
        self._function = compiled.of(model, self.features)

    @classmethod
    def open(cls, path):
        """The predictor of a .keras file."""
        return cls(read_keras(path))

    def _predict(self, images):
        return self._function(images)


def read_keras(path):
    """The `keras.Model` of a .keras file, not compiled."""
    require(
        path.suffix == ".keras",
        f"Keras reads {str(path)!r} only under a name that ends in .keras: "
        "rename it.",
    )
    import keras

    return keras.saving.load_model(path, compile=False)


class TFLitePredictor(Predictor):
    """A TFLite file in LiteRT.

    An interpreter holds one input and one output: threads take turns.
    """

    format = "tflite"

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path))
        self._lock = threading.Lock()
        (given,) = self._interpreter.get_input_details()
        named = self._named_outputs()
        shapes = {name: found["shape"] for name, found in named.items()}
        self.features = tensors.features(shapes)
        self.batch, self.image_size = tensors.places(given["shape"])
        self.num_classes = None
        if not self.features:
            taken = self._find_output(list(named.values()))
            self.num_classes = int(taken["shape"][-1])
            named = {PROBABILITIES: taken}
        self._input = given["index"]
        self._quantise = tensors.to_tflite(given)
        self._outputs = {
            name: (details["index"], tensors.from_tflite(details))
            for name, details in named.items()
        }
        self._interpreter.allocate_tensors()

    def _named_outputs(self):
        """{name in the signature, or of the tensor: its details}."""
        details = self._interpreter.get_output_details()
        if not self._interpreter.get_signature_list():
            return {one["name"]: one for one in details}
        found = self._interpreter.get_signature_runner().get_output_details()
        by_index = {one["index"]: one for one in details}
        return {name: by_index[one["index"]] for name, one in found.items()}

    def _find_output(self, outputs):
        (output,) = outputs
        return output

    def _predict(self, images):
        images = self._quantise(images)
        with self._lock:
            self._interpreter.set_tensor(self._input, images)
            self._interpreter.invoke()
            found = {
                name: dequantise(self._interpreter.get_tensor(index))
                for name, (index, dequantise) in self._outputs.items()
            }
        return found if self.features else found[PROBABILITIES]


class WebPredictor(TFLitePredictor):
    """The network of a page, in this machine's LiteRT."""

    format = "web"

    def __init__(self, path):
        super().__init__(pathlib.Path(path) / WEB_MODEL)

    def _find_output(self, outputs):
        # Beside the probabilities it gives maps, of four dimensions.
        (output,) = [output for output in outputs if len(output["shape"]) == 2]
        return output
