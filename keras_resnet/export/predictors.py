"""A network in each runtime, as a function of images.

Shapes: B batch, S side of the square images, K classes.
"""

import abc
import pathlib

import numpy as np

from keras_resnet.errors import require
from keras_resnet.export.artifact import IMAGES
from keras_resnet.export.artifact import PROBABILITIES
from keras_resnet.export.artifact import WEB_MODEL
from keras_resnet.pixels import warn_of_unit_range


class Predictor(abc.ABC):
    """A network in its own runtime.

    Attributes:
        format: "keras", "saved_model", "tflite", "onnx" or "web".
        image_size: S, or None for images of any size.
        num_classes: K.
        resizes: whether `predict` takes whole images of any one size, not
            evaluation views, which it makes itself.
    """

    format: str
    image_size: int | None
    num_classes: int
    resizes: bool = False

    def predict(self, images):
        """Probabilities of images.

        Args:
            images: uint8 or float (B, S, S, 3), RGB 0..255, B >= 1. Floats in
                [0, 1] are warned of, once.

        Returns:
            float32 (B, K), NumPy.
        """
        images = np.asarray(images)
        warn_of_unit_range(images)
        images = images.astype(np.float32, copy=False)
        return np.asarray(self._predict(images), np.float32)

    @abc.abstractmethod
    def _predict(self, images):
        """float32 (B, S, S, 3) to (B, K)."""


class KerasPredictor(Predictor):
    """A Keras model in inference mode, compiled to one graph."""

    format = "keras"

    def __init__(self, model):
        import tensorflow as tf

        shape = model.input_shape
        self.image_size = shape[1]
        self.num_classes = model.output_shape[-1]
        spec = tf.TensorSpec(shape, tf.float32)
        self._function = tf.function(
            lambda images: model(images, training=False),
            input_signature=[spec],
            autograph=False,
        )

    def _predict(self, images):
        return self._function(images)


class SavedModelPredictor(Predictor):
    """The signature serving_default of a SavedModel, in TensorFlow."""

    format = "saved_model"

    def __init__(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))
        self._function = self._signature("serving_default")
        _, inputs = self._function.structured_input_signature
        ((self._input, spec),) = inputs.items()
        outputs = self._function.structured_outputs
        # A SavedModel from elsewhere may have another name.
        self._output = PROBABILITIES if len(outputs) > 1 else min(outputs)
        self.image_size = spec.shape[1]
        self.num_classes = outputs[self._output].shape[-1]
        self._dtype = spec.dtype
        # Only export_saved_model(resize=True) writes this.
        self.resizes = spec.dtype == "uint8" and spec.shape[1] is None

    def _signature(self, name):
        require(
            name in self._loaded.signatures,
            f"The SavedModel has no signature {name!r}. It has: "
            f"{', '.join(self._loaded.signatures)}.",
        )
        return self._loaded.signatures[name]

    def _predict(self, images):
        import tensorflow as tf

        images = tf.cast(images, self._dtype)
        output = self._function(**{self._input: images})
        return output[self._output]

    def predict_bytes(self, image_bytes):
        """Probabilities of encoded images, by the signature serve_bytes.

        Args:
            image_bytes: list of B bytes objects, JPEG, PNG, GIF, BMP or WebP.

        Returns:
            float32 (B, K), NumPy.
        """
        import tensorflow as tf

        serve = self._signature("serve_bytes")
        output = serve(image_bytes=tf.constant(image_bytes))
        return output[PROBABILITIES].numpy()


class TFLitePredictor(Predictor):
    """A TFLite file in LiteRT, image by image."""

    format = "tflite"

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path))
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        self.image_size = int(self._input["shape"][1])
        self.num_classes = int(self._output["shape"][-1])
        self._interpreter.allocate_tensors()

    def _predict(self, images):
        return np.concatenate([self._one(image) for image in images])

    def _one(self, image):
        image = image[np.newaxis].astype(self._input["dtype"])
        self._interpreter.set_tensor(self._input["index"], image)
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])
        if output.dtype == np.float32:
            return output
        scale, zero_point = self._output["quantization"]
        return (output.astype(np.float32) - zero_point) * np.float32(scale)


class WebPredictor(Predictor):
    """The network of a page, in this machine's LiteRT, image by image."""

    format = "web"

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        path = pathlib.Path(path) / WEB_MODEL
        self._interpreter = Interpreter(model_path=str(path))
        self._runner = self._interpreter.get_signature_runner()
        images = self._runner.get_input_details()[IMAGES]
        outputs = self._runner.get_output_details()
        self.image_size = int(images["shape"][1])
        self.num_classes = int(outputs[PROBABILITIES]["shape"][-1])

    def _predict(self, images):
        return np.concatenate([self._one(image) for image in images])

    def _one(self, image):
        return self._runner(images=image[np.newaxis])[PROBABILITIES]


class OnnxPredictor(Predictor):
    """An ONNX file in onnxruntime, on the CPU."""

    format = "onnx"

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its errors reach us as exceptions
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        (image,) = self._session.get_inputs()
        (output,) = self._session.get_outputs()
        self._input = image.name
        self._dtype = np.uint8 if "uint8" in image.type else np.float32
        size = image.shape[1]
        self.image_size = size if isinstance(size, int) else None
        self.num_classes = output.shape[-1]

    def _predict(self, images):
        images = images.astype(self._dtype, copy=False)
        return self._session.run(None, {self._input: images})[0]
