"""A SavedModel as a function of images, in TensorFlow."""

from keras_resnet.errors import require
from keras_resnet.inference import operators
from keras_resnet.inference import tensors
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.inference.predictors import Predictor


class SavedModelPredictor(Predictor):
    """The signature serving_default of a SavedModel, in TensorFlow."""

    format = "saved_model"

    def __init__(self, path):
        import tensorflow as tf

        operators.check_saved_model(path)
        self._loaded = tf.saved_model.load(str(path))
        self._function = self._signature("serving_default")
        _, inputs = self._function.structured_input_signature
        ((self._input, spec),) = inputs.items()
        outputs = self._function.structured_outputs
        self.features = tensors.features(
            {name: output.shape for name, output in outputs.items()}
        )
        # A SavedModel from elsewhere may have another name.
        self._output = PROBABILITIES if len(outputs) > 1 else min(outputs)
        self.batch, self.image_size = tensors.places(spec.shape)
        self.num_classes = None
        if not self.features:
            self.num_classes = outputs[self._output].shape[-1]
        self._dtype = tensors.as_is(spec.dtype.name)
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

        images = tf.constant(tensors.cast(images, self._dtype))
        output = self._function(**{self._input: images})
        if self.features:
            return {name: output[name].numpy() for name in self.features}
        return output[self._output]

    def predict_bytes(self, image_bytes):
        """float32 (B, K) of B encoded images, by the signature serve_bytes."""
        return self.call_bytes(image_bytes)[PROBABILITIES]

    def call_bytes(self, image_bytes):
        """Like a call, for B encoded images, by the signature serve_bytes."""
        import tensorflow as tf

        serve = self._signature("serve_bytes")
        output = serve(image_bytes=tf.constant(image_bytes))
        names = self.features or (PROBABILITIES,)
        return {name: output[name].numpy() for name in names}
