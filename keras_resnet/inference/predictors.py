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
from keras_resnet.inference.artifact import WEB_MODEL


class Predictor(abc.ABC):
    """A network in its own runtime. Threads may share it.

    Attributes:
        format: name of a `kinds.Kind`.
        image_size: S, or None for images of any size.
        num_classes: K.
        batch: how many images the network takes at once, or None for any.
        resizes: whether `predict` takes whole images of any one size, not
            evaluation views, which it makes itself.
    """

    format: str
    image_size: int | None
    num_classes: int
    batch: int | None = None
    resizes: bool = False

    def predict(self, images):
        """Probabilities of images.

        Args:
            images: uint8 or float (B, S, S, 3), RGB 0..255, B >= 1. Floats in
                [0, 1] are warned of, once.

        Returns:
            float32 (B, K), NumPy.

        Raises:
            keras_resnet.UsageError: for other shapes, and where the network
                fails: a damaged file may do so only when it runs.
        """
        images = np.asarray(images)
        tensors.warn_of_unit_range(images)
        images = images.astype(np.float32, copy=False)
        self._check(images.shape)
        parts = tensors.parts(images, self.batch)
        outputs = [self._run(part) for part in parts]
        return np.concatenate(outputs)[: len(images)]

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
            output = np.asarray(self._predict(images), np.float32)
        except (UsageError, MemoryError):
            raise
        except Exception as error:  # each runtime has its own
            raise UsageError(
                f"The network ({self.format}) fails when it runs: it is "
                "damaged or does not take such images. The reason given: "
                f"{first_line(error)}"
            ) from error
        require(
            np.isfinite(output).all(),
            f"The network ({self.format}) gives what is no number: it is "
            "damaged, or did not learn.",
        )
        return output

    @abc.abstractmethod
    def _predict(self, images):
        """float32 (batch, S, S, 3) to (batch, K)."""


class KerasPredictor(Predictor):
    """A Keras model in inference mode, compiled to one graph."""

    format = "keras"

    def __init__(self, model):
        self.batch, self.image_size, *_ = model.input_shape
        self.num_classes = model.output_shape[-1]
        self._model = model  # which its function does not keep
        self._function = compiled.of(model)

    @classmethod
    def open(cls, path):
        """That of a .keras file."""
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
        taken = self._find_output(self._interpreter.get_output_details())
        self.batch, self.image_size = tensors.places(given["shape"])
        self.num_classes = int(taken["shape"][-1])
        self._input, self._output = given["index"], taken["index"]
        self._quantise = tensors.to_tflite(given)
        self._dequantise = tensors.from_tflite(taken)
        self._interpreter.allocate_tensors()

    def _find_output(self, outputs):
        (output,) = outputs
        return output

    def _predict(self, images):
        images = self._quantise(images)
        with self._lock:
            self._interpreter.set_tensor(self._input, images)
            self._interpreter.invoke()
            output = self._interpreter.get_tensor(self._output)
        return self._dequantise(output)


class WebPredictor(TFLitePredictor):
    """The network of a page, in this machine's LiteRT."""

    format = "web"

    def __init__(self, path):
        super().__init__(pathlib.Path(path) / WEB_MODEL)

    def _find_output(self, outputs):
        # Beside the probabilities it gives maps, of four dimensions.
        (output,) = [output for output in outputs if len(output["shape"]) == 2]
        return output


class OnnxPredictor(Predictor):
    """An ONNX file in onnxruntime, on the CPU."""

    format = "onnx"

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its errors reach us as exceptions
        self._session = onnxruntime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # to the same one, with words on the terminal
        )
        (image,) = self._session.get_inputs()
        (output,) = self._session.get_outputs()
        self._input = image.name
        self._dtype = tensors.as_is(tensors.onnx_dtype(image.type))
        tensors.check_probabilities(tensors.onnx_dtype(output.type))
        self.batch, self.image_size = tensors.places(image.shape)
        self.num_classes = output.shape[-1]

    def _predict(self, images):
        images = tensors.cast(images, self._dtype)
        return self._session.run(None, {self._input: images})[0]
