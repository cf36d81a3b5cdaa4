"""OpenVINO: a reader of every format that shares no code with the others.

A converter and the runtime of its format may share a mistake; Intel's reader
of the same file does not. It is not installed with this package.
"""

import pathlib

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import tensors
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.inference.artifact import WEB_MODEL
from keras_resnet.inference.predictors import Predictor

# Float32, even if the processor has faster 16-bit arithmetic.
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}

# TFLite fixes the scale of 8-bit probabilities; OpenVINO drops it.
_UINT8_SCALE = np.float32(1 / 256)


class OpenVinoPredictor(Predictor):
    """A SavedModel, TFLite or ONNX file, or a page's, in OpenVINO on the CPU.

    It reads what this package exports, in every precision, except for a
    SavedModel that resizes: OpenVINO lacks TensorFlow's ScaleAndTranslate. It
    runs a SavedModel's `serving_default`.

    Args:
        path: of the file or directory; its name ends as the format's do.

    Raises:
        keras_resnet.UsageError: if OpenVINO is not installed, or cannot read
            the file.
    """

    format = "openvino"

    def __init__(self, path):
        openvino = _openvino()
        core = openvino.Core()
        page = pathlib.Path(path) / WEB_MODEL
        path = page if page.is_file() else path
        try:
            model = core.read_model(str(path))
            self._compiled = core.compile_model(model, "CPU", _EXACT)
        except RuntimeError as error:
            raise UsageError(
                f"OpenVINO cannot read {str(path)!r}: {_reason(error)}"
            ) from error
        (image,) = model.inputs
        self._dtype = image.element_type.to_dtype()
        self.batch, self.image_size, _, _ = map(_size, image.partial_shape)
        require(
            len(model.outputs[0].partial_shape) == 2
            or any(PROBABILITIES in o.names for o in model.outputs)
            or page.is_file(),
            "The second opinion is of probabilities. "
            f"{str(path)!r} gives features: verify it without openvino.",
        )
        self._output = _place(model.outputs)
        shape = model.outputs[self._output].partial_shape
        self.num_classes = _size(shape[1])

    def _predict(self, images):
        images = tensors.cast(images, self._dtype)
        output = self._compiled(images)[self._output]
        return output * _UINT8_SCALE if output.dtype == np.uint8 else output


def _size(dimension):
    return dimension.get_length() if dimension.is_static else None


def _place(outputs):
    """Which of the outputs are the probabilities."""
    for place, output in enumerate(outputs):
        if PROBABILITIES in output.names:
            return place
    # TFLite has other names; a page has maps beside the probabilities.
    ranks = [len(output.partial_shape) for output in outputs]
    return ranks.index(2)


def _reason(error):
    """The last line of an error that is neither empty nor advice."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and "documentation" not in line]
    return said[-1] if said else type(error).__name__


def _openvino():
    try:
        import openvino
    except ImportError as error:
        raise UsageError(
            "The second opinion is OpenVINO's, which is not installed. Run "
            "`pip install openvino`."
        ) from error
    return openvino
