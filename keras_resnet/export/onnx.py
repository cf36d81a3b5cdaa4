"""ONNX: for onnxruntime and everything else that reads the standard."""

import contextlib
import os

from keras_resnet.errors import require
from keras_resnet.export import serving
from keras_resnet.export.artifact import IMAGES
from keras_resnet.export.artifact import PROBABILITIES
from keras_resnet.export.artifact import describe
from keras_resnet.export.artifact import replacing
from keras_resnet.export.float32 import float32_copy

# 17 keeps one transposition and GlobalAveragePool; from 18 on tf2onnx writes a
# ReduceMean between two. Above 18 it raises.
OPSET = 17
OPSETS = range(13, 19)


def export_onnx(model, path, *, card, opset=OPSET):
    """Writes a float32 ONNX file for any number of images.

    It takes float32 ("batch", H, W, 3) `images`, RGB 0..255, to float32
    ("batch", K) `probabilities`.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy.
        path: of the file; an earlier one is replaced once complete.
        card: `keras_resnet.labels.Card`; its `image_size` is H and W for a
            model of any size.
        opset: int, 13 to 18.

    Returns:
        `Artifact`.

    Raises:
        keras_resnet.UsageError: if model and card do not fit, or for another
            opset.
    """
    check_opset(opset)
    serving.check(model, card)
    copy = float32_copy(model)
    image_size = serving.fixed_size(copy, card)
    proto = _convert(copy, image_size, opset)
    with replacing(path) as beside:
        _save(proto, beside)
    return describe(
        path,
        format="onnx",
        image_size=image_size,
        classes=copy.output_shape[-1],
        batch=None,
    )


def check_opset(opset):
    """Raises `UsageError` unless tf2onnx writes this version of ONNX."""
    require(
        opset in OPSETS,
        f"opset must be {OPSETS[0]} to {OPSETS[-1]}: tf2onnx writes no other. "
        f"Received: opset={opset!r}.",
    )


def _convert(model, image_size, opset):
    import tf2onnx

    function = serving.image_function(model, batch=None, image_size=image_size)
    # It would copy the whole graph before every optimisation: twice the
    # memory and, for a ResNet-152, twice the time.
    with _environment("TF2ONNX_CATCH_ERRORS", "FALSE"):
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=opset
        )
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Their batch has another name.
    del proto.graph.value_info[:]
    return proto


def _save(proto, path):
    import onnx

    names = [v.name for v in (*proto.graph.input, *proto.graph.output)]
    if names != [IMAGES, PROBABILITIES]:
        raise RuntimeError(f"tf2onnx renamed the signature to {names}.")
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(path))


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
