"""ONNX: for onnxruntime and everything else that reads the standard."""

import contextlib
import os
import pathlib
import tempfile

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export.writers import calibration as calibration_lib
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import onnx_graph
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import targets
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import Artifact
from keras_resnet.labels.cards import Card

# 17 keeps one transposition and GlobalAveragePool. With 18, tf2onnx writes a
# ReduceMean between two transpositions; above 18 it raises.
OPSET = 17
OPSETS = range(13, 19)


def export_onnx(
    model: keras.Model | serving.Network,
    path: str | os.PathLike,
    *,
    card: Card,
    precision: str = "float32",
    opset: int = OPSET,
    input_dtype: str = "float32",
    calibration: np.ndarray | None = None,
) -> Artifact:
    """Folds a model and writes it as ONNX, for any number of images.

    The file takes ("batch", H, W, 3) `images`, RGB 0..255, and gives float32
    ("batch", K) `probabilities`, or features.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy, or
            the `serving.Network` that an export of several formats shares.
        path: of the file; an earlier one is replaced once complete.
        card: `keras_resnet.labels.cards.Card` of the model; its `image_size` is
            H and W for a model of any size.
        precision: "float32", or "int8": activations and weights of 8 bits
            between pairs of QuantizeLinear and DequantizeLinear.
        opset: int, 13 to 18.
        input_dtype: "float32", or "uint8" for pixels as cameras give them.
        calibration: uint8 (N, H, W, 3), evaluation views of real images; for
            "int8" only, which needs them.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: for another opset, precision or input, or if
            the network cannot be written.
    """
    network = serving.Network.of(model, card)
    check_opset(opset)
    targets.check(path, "onnx")
    write = lookup(_WRITE, precision, "precision of ONNX")
    lookup(serving.INPUT_DTYPES, input_dtype, "input dtype")
    if precision == "int8":
        calibration_lib.check(calibration, network.card)
    with (
        serving.converting("ONNX", network.folded),
        targets.replacing_network(path) as beside,
    ):
        proto = network.once(
            ("onnx", opset, input_dtype),
            lambda: _convert(
                network.function(batch=None, dtype=input_dtype),
                opset,
                network.outputs,
            ),
        )
        write(proto, beside, calibration, input_dtype)
    return manifest.describe(
        path,
        network,
        format="onnx",
        precision=precision,
        batch=None,
        input_dtype=input_dtype,
    )


def check_opset(opset):
    """Raises `UsageError` unless tf2onnx writes this version of ONNX."""
    require(
        opset in OPSETS,
        f"opset must be {OPSETS[0]} to {OPSETS[-1]}: tf2onnx writes no other. "
        f"Received: opset={opset!r}.",
    )


def _convert(function, opset, outputs):
    import tf2onnx

    # Without this, it copies the whole graph before every optimisation: twice
    # the memory and, for a ResNet-152, twice the time.
    with _environment("TF2ONNX_CATCH_ERRORS", "FALSE"):
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=opset
        )
    _hold(proto.graph, function.get_concrete_function().graph.captures)
    onnx_graph.improve(proto.graph)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # These shapes name the batch differently.
    del proto.graph.value_info[:]
    names = [v.name for v in (*proto.graph.input, *proto.graph.output)]
    if sorted(names) != sorted([IMAGES, *outputs]):
        raise RuntimeError(f"tf2onnx renamed the signature to {names}.")
    return proto


def _hold(graph, captures):
    """Turns inputs that tf2onnx made of constants into constants again.

    `captures` are [(the value outside, its tensor inside)] of the function.
    """
    from onnx import numpy_helper

    values = {inside.name: outside for outside, inside in captures}
    for place in reversed(range(len(graph.input))):
        name = graph.input[place].name
        if name in values:
            value = numpy_helper.from_array(values[name].numpy(), name)
            graph.initializer.append(value)
            del graph.input[place]


def _write_float32(proto, path, *ignored):
    import onnx

    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(path))


def _write_int8(proto, path, calibration, input_dtype):
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder, "float32.onnx")
        _write_float32(proto, whole)
        # Unsigned activations and signed weights: with both signed, the
        # kernels of x86 take 2.6 times as long.
        quantization.quantize_static(
            str(whole),
            str(path),
            _Reader(calibration.astype(input_dtype)),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
        )


_WRITE = {"float32": _write_float32, "int8": _write_int8}


class _Reader:
    """Calibration images, one at a time, as onnxruntime asks for them."""

    def __init__(self, images):
        self._feeds = ({IMAGES: image[np.newaxis]} for image in images)

    def get_next(self):
        return next(self._feeds, None)


@contextlib.contextmanager
def _environment(name, value):
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
