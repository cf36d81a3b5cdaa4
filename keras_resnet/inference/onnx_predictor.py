"""An ONNX file as a function of images, in onnxruntime."""

from keras_resnet.inference import tensors
from keras_resnet.inference.predictors import Predictor


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
            enable_fallback=0,  # it would retry the same provider, and print
        )
        (image,) = self._session.get_inputs()
        outputs = self._session.get_outputs()
        self._input = image.name
        self._dtype = tensors.as_is(tensors.onnx_dtype(image.type))
        for output in outputs:
            tensors.check_probabilities(tensors.onnx_dtype(output.type))
        self.batch, self.image_size = tensors.places(image.shape)
        self._names = [output.name for output in outputs]
        self.features = tensors.features({o.name: o.shape for o in outputs})
        self.num_classes = None if self.features else outputs[0].shape[-1]

    def _predict(self, images):
        images = tensors.cast(images, self._dtype)
        found = self._session.run(None, {self._input: images})
        named = dict(zip(self._names, found, strict=True))
        return named if self.features else found[0]
