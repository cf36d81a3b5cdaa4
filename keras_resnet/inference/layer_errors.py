"""Where an int8 file goes wrong: the error of each of its layers.

The file and the float32 file of the same network run on the same images, and
what every layer gives is compared. Every good file has quantisation noise: it
grows slowly from layer to layer and adds up over a network. A layer that cannot
be quantised, such as one with a few weights far larger than all others, stands
out from the layers that it reads.
"""

import dataclasses
import itertools
import math
import tempfile

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.inference import layer_outputs

# Largest error, relative to the RMS of a layer's float32 output: noise 20 dB
# below the signal. The 53 convolutions of a good int8 ResNet-50 add up to 6 %.
BOUND = 0.1

# A good layer's error may be this many times the error of what it reads. White
# noise passes a convolution as the signal does, so the two errors are about
# equal; where a bias takes most of the signal away, the noise stays. The
# largest ratio in that ResNet-50 is 2.2.
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


def first_wrong(errors):
    """The first `LayerError`, in the network's order, that is not inherited.

    Its error is above `BOUND`, and above `JUMP` times that of what it reads.
    The layers after it are wrong as well, but inherit it. None means that the
    noise of many layers adds up: the network does not tolerate the precision.
    """
    for error in errors:
        # Not `>`: NaN must not pass.
        good = error.relative_error <= BOUND
        good |= error.relative_error <= JUMP * error.inherited_error
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
    """The errors of the layers of an 8-bit TFLite file, in LiteRT.

    Args:
        float_path: of the float32 file of the same network. The converter made
            both, so their layers are in the same order.
        int8_path: of the file with 8-bit weights, or 8-bit weights and
            activations.
        images: uint8 (N, S, S, 3), evaluation views of real images. A few are
            enough: an activation has thousands of values.

    Returns:
        list of `LayerError`, in the network's order.

    Raises:
        keras_resnet.UsageError: if there are no images, a file cannot be read,
            or they are not of one network.
    """
    _check(images)
    whole = _open(layer_outputs.TFLiteFile, float_path)
    small = _open(layer_outputs.TFLiteFile, int8_path)
    kinds = [[layer.kind for layer in file.layers] for file in (whole, small)]
    require(
        kinds[0] == kinds[1],
        f"{str(float_path)!r} and {str(int8_path)!r} are not of one network: "
        f"they have {len(kinds[0])} and {len(kinds[1])} layers, or others. "
        "Export the two again.",
    )
    outputs = [layer.output for layer in whole.layers]
    found = (
        dict(zip(outputs, zip(whole.run(image), small.run(image), strict=True)))
        for image in images
    )
    return _errors(whole.layers, whole.producers, found)


def onnx_layer_errors(float_path, int8_path, images):
    """The same for an ONNX file, in onnxruntime.

    The 8-bit file has pairs of QuantizeLinear and DequantizeLinear, as
    `onnxruntime.quantization` adds them to the float32 file. Layers whose
    outputs are not quantised are left out.
    """
    _check(images)
    with tempfile.TemporaryDirectory() as folder:
        whole = _open(layer_outputs.OnnxFile, float_path, folder)
        small = _open(layer_outputs.OnnxFile, int8_path, folder)
        found = (layer_outputs.pairs(whole, small, image) for image in images)
        first = next(found)
        layers = whole.layers(first)
        require(
            layers,
            f"{str(int8_path)!r} has no quantised layer that "
            f"{str(float_path)!r} has: they are not of one network. Export "
            "the two again.",
        )
        found = itertools.chain([first], found)
        return _errors(layers, whole.producers, found)


def _check(images):
    require(
        np.ndim(images) == 4 and len(images),
        "Pass evaluation views of images, (N, S, S, 3), to compare layers on. "
        f"Received: shape {np.shape(images)}.",
    )


def _open(reader, path, *arguments):
    try:
        return reader(path, *arguments)
    except Exception as error:  # each library raises its own, even bare ones
        raise UsageError(
            f"{str(path)!r} cannot be read layer by layer: {first_line(error)}"
        ) from error


def _errors(layers, producers, found):
    """The `LayerError`s of what layers give in two files.

    Args:
        layers: list of `layer_outputs.Layer`, in the network's order.
        producers: {tensor: tensors that its operator reads}, of the whole
            float32 file.
        found: for each image {tensor: (float array, that of the 8-bit file)}.
    """
    sums = {layer.output: np.zeros(2) for layer in layers}
    for pairs in found:
        for layer in layers:
            sums[layer.output] += _squares(layer, *pairs[layer.output])
    relative = {tensor: _ratio(*squares) for tensor, squares in sums.items()}
    return [
        LayerError(
            name=layer.name,
            kind=layer.kind,
            relative_error=relative[layer.output],
            inherited_error=max(
                (relative[x] for x in _read_by(layer, producers, relative)),
                default=0.0,
            ),
        )
        for layer in layers
    ]


def _squares(layer, expected, actual):
    """Sums of squares: of the difference of two outputs, of the first."""
    require(
        np.size(expected) == np.size(actual),
        f"{layer.name!r} gives {np.size(expected)} values in one file and "
        f"{np.size(actual)} in the other: they are not of one network.",
    )
    expected = np.asarray(expected, np.float64).ravel()
    difference = np.asarray(actual, np.float64).ravel() - expected
    return difference @ difference, expected @ expected


def _read_by(layer, producers, outputs):
    """The layers' outputs that a layer reads, maybe through other operators."""
    found, tensors = set(), set(producers[layer.output])
    while tensors:
        tensor = tensors.pop()
        if tensor in outputs:
            found.add(tensor)
        else:
            tensors.update(producers.get(tensor, ()))
    return found


def _ratio(difference, signal):
    if difference == 0:
        return 0.0
    return math.sqrt(difference / signal) if signal else math.inf
