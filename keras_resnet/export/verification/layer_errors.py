"""Where an int8 file goes wrong: the error of each of its layers.

The file and the float32 file of the same network run on the same images, and
what every layer gives is compared. Quantisation noise is there in every good
file: it grows slowly from layer to layer and adds up over a network. A layer
that cannot be quantised, such as one of which a few weights are far larger
than all others, stands out from the layers that it reads.
"""

import dataclasses
import math
import tempfile

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.export.verification import layer_outputs

# Of the RMS of a layer's float32 output: noise 20 dB below the signal. The 53
# convolutions of a good int8 ResNet-50 add up to 6 %.
BOUND = 0.1

# How many times the error of what it reads a good layer may have. White noise
# passes a convolution as its signal does, so the two errors are about equal;
# where a bias takes most of the signal away, the noise stays. The largest of
# that ResNet-50 is 2.2.
JUMP = 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerError:
    """How far a layer of an int8 file is from that of the float32 file.

    Attributes:
        name: of the layer in the network: "stage2_unit1/conv2".
        kind: of its operator, by the format's name.
        relative_error: RMS of the difference of the outputs, over the RMS of
            the float32 output, over all images.
        inherited_error: the largest relative error of the layers that it
            reads; 0 for the first layer.
    """

    name: str
    kind: str
    relative_error: float
    inherited_error: float


def first_wrong(errors, *, bound=BOUND, jump=JUMP):
    """The first layer whose error is large and its own.

    Its output is off by more than `bound`, and by more than `jump` times what
    it reads is: the layers after it are wrong as well, but have that from it.
    Where the noise of many layers adds up there is no such layer: then it is
    the precision that the network does not bear.

    Args:
        errors: list of `LayerError`, in the network's order.
        bound: float, a relative error.
        jump: float, a factor.

    Returns:
        `LayerError`, or None.
    """
    for error in errors:
        # Not `>`: NaN must not pass.
        good = error.relative_error <= bound
        good |= error.relative_error <= jump * error.inherited_error
        if not good:
            return error
    return None


def table(errors):
    """The errors as lines for people, the first wrong layer marked."""
    wrong = first_wrong(errors)
    width = max(len(error.name) for error in errors)
    lines = [f"{'layer':<{width}}{'error':>10}{'inherited':>11}"]
    for error in errors:
        mark = "  <- the first wrong layer" if error is wrong else ""
        lines.append(
            f"{error.name:<{width}}{error.relative_error:>10.2%}"
            f"{error.inherited_error:>11.2%}{mark}"
        )
    if wrong is None:
        lines.append("No layer goes wrong by itself.")
    return "\n".join(lines)


def tflite_layer_errors(float_path, int8_path, images):
    """The errors of the layers of a TFLite file of 8 bits, in LiteRT.

    Args:
        float_path: of the float32 file of the same network.
        int8_path: of the file with weights, or weights and activations, of 8
            bits. The converter has made both, so that their layers come in
            the same order.
        images: uint8 (N, S, S, 3), evaluation views of real images. A few are
            enough: an activation has thousands of values.

    Returns:
        list of `LayerError`, in the network's order.

    Raises:
        keras_resnet.UsageError: if there are no images, a file cannot be read,
            or they are not of one network.
    """
    _check(images)
    whole, small = (
        _open(layer_outputs.TFLiteFile, path)
        for path in (float_path, int8_path)
    )
    kinds = [[layer.kind for layer in file.layers] for file in (whole, small)]
    require(
        kinds[0] == kinds[1],
        f"{str(float_path)!r} and {str(int8_path)!r} are not of one network: "
        f"they have {len(kinds[0])} and {len(kinds[1])} layers, or others. "
        "Export the two again.",
    )
    comparison = _Comparison(whole.layers, whole.producers)
    for image in images:
        pairs = zip(whole.run(image), small.run(image), strict=True)
        for layer, (expected, actual) in zip(whole.layers, pairs, strict=True):
            comparison.add(layer, expected, actual)
    return comparison.errors()


def onnx_layer_errors(float_path, int8_path, images):
    """The errors of the layers of an ONNX file of 8 bits, in onnxruntime.

    Args:
        float_path: of the float32 file of the same network.
        int8_path: of the file that `onnxruntime.quantization` made of it, with
            pairs of QuantizeLinear and DequantizeLinear.
        images: as `tflite_layer_errors` takes them.

    Returns:
        list of `LayerError`, in the network's order; of layers whose outputs
        are quantised.

    Raises:
        keras_resnet.UsageError: if there are no images, a file cannot be read,
            or they are not of one network.
    """
    _check(images)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = (
            _open(layer_outputs.OnnxFile, path, folder)
            for path in (float_path, int8_path)
        )
        comparison = None
        for image in images:
            pairs = layer_outputs.pairs(whole, small, image)
            if comparison is None:
                layers = whole.layers(pairs)
                comparison = _Comparison(layers, whole.producers)
            for layer in layers:
                comparison.add(layer, *pairs[layer.output])
    require(
        layers,
        f"{str(int8_path)!r} has no quantised layer that {str(float_path)!r} "
        "has: they are not of one network. Export the two again.",
    )
    return comparison.errors()


def _check(images):
    require(
        np.ndim(images) == 4 and len(images),
        "Pass evaluation views of images, (N, S, S, 3), to compare layers on. "
        f"Received: shape {np.shape(images)}.",
    )


def _open(reader, path, *arguments):
    try:
        return reader(path, *arguments)
    except Exception as error:  # each library has its own, down to bare ones
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"{str(path)!r} cannot be read layer by layer: {reason}"
        ) from error


class _Comparison:
    """Sums over images of what layers give in two files.

    Args:
        layers: list of `layer_outputs.Layer`, in the network's order.
        producers: {tensor: tensors that its operator reads}, of the whole
            float32 file.
    """

    def __init__(self, layers, producers):
        self._layers, self._producers = layers, producers
        self._sums = {layer.output: np.zeros(2) for layer in layers}

    def add(self, layer, expected, actual):
        """Counts the outputs of a layer for an image, float arrays."""
        require(
            np.size(expected) == np.size(actual),
            f"{layer.name!r} gives {np.size(expected)} values in one file and "
            f"{np.size(actual)} in the other: they are not of one network.",
        )
        expected = np.asarray(expected, np.float64).ravel()
        difference = np.asarray(actual, np.float64).ravel() - expected
        self._sums[layer.output] += (
            difference @ difference,
            expected @ expected,
        )

    def errors(self):
        relative = {tensor: _ratio(*s) for tensor, s in self._sums.items()}
        return [
            LayerError(
                name=layer.name,
                kind=layer.kind,
                relative_error=relative[layer.output],
                inherited_error=max(
                    map(relative.get, self._read_by(layer)), default=0.0
                ),
            )
            for layer in self._layers
        ]

    def _read_by(self, layer):
        """The layers' outputs that a layer reads, past what is no layer."""
        found, tensors = set(), set(self._producers[layer.output])
        while tensors:
            tensor = tensors.pop()
            if tensor in self._sums:
                found.add(tensor)
            else:
                tensors.update(self._producers.get(tensor, ()))
        return found


def _ratio(difference, signal):
    if difference == 0:
        return 0.0
    return math.sqrt(difference / signal) if signal else math.inf
