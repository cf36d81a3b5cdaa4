"""Smaller precisions, tested on a network that reads digits."""

import dataclasses

import exported_networks
import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from exported_networks import card_of
from exported_networks import digits
from exported_networks import network
from exported_networks import trained

from keras_resnet.data.pixels import transforms
from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export.verification.verify import VerificationError
from keras_resnet.export.writers import calibration
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import runtime
from keras_resnet.labels.view import View

# Name -> (the format in float32, the largest fraction of its bytes), for 77,000
# parameters. Larger networks store less beside their weights.
SMALLER = {
    "tflite": ("tflite_float32", 0.4),
    "tflite_int8": ("tflite_float32", 0.4),
    "tflite_float16": ("tflite_float32", 0.6),
    "onnx_int8": ("onnx", 0.5),
}
# SavedModels and the page have tests of their own.
OTHERS = ("saved_model", "saved_model_bfloat16", "web")
FORMATS = tuple(name for name in formats.FORMATS if name not in OTHERS)


def _views(card, count, split="validation"):
    """uint8 (N, S, S, 3) of digits, which are all of one size."""
    images = np.stack(digits(count, split)[0])
    return transforms.evaluation(images, View.of(card)).numpy()


@pytest.fixture(scope="module")
def card():
    return card_of(trained())


@pytest.fixture(scope="module")
def options(card):
    calibration = _views(card, 200, "train")
    return formats.Options(calibration=calibration)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, options):
    """All formats of the trained network."""
    directory = tmp_path_factory.mktemp("exported")
    artifacts = exported_networks.export(
        trained(), directory, FORMATS, 16, options=options
    )
    return directory, dict(zip(FORMATS, artifacts, strict=True))


@pytest.fixture(scope="module")
def split(card):
    """Views of the whole validation split and the network's answers."""
    views = _views(card, 359)
    return views, exported_networks.answers(trained(), views)


@pytest.mark.parametrize("format", SMALLER)
def test_a_smaller_precision_is_smaller_and_reads_as_well(
    exported, split, format
):
    directory, artifacts = exported
    small, (whole, ratio) = artifacts[format], SMALLER[format]
    assert small.bytes < ratio * artifacts[whole].bytes
    views, labels = split[0], digits(359)[1]
    expected = split[1].argmax(-1)
    # Otherwise agreement would mean nothing.
    assert (expected == labels).mean() > 0.9
    predictor = runtime.load_predictor(directory / small.path)
    actual = predictor.predict(views).argmax(-1)
    assert (expected == actual).mean() >= 0.99
    assert (actual == labels).mean() >= (expected == labels).mean() - 0.005


def test_the_manifest_says_what_each_file_takes(exported):
    _, artifacts = exported
    said = {
        name: (a.precision, a.signature["inputs"]["images"]["dtype"])
        for name, a in artifacts.items()
    }
    assert said == {
        "tflite": ("dynamic_int8", "float32"),
        "tflite_float32": ("float32", "float32"),
        "tflite_float16": ("float16", "float32"),
        "tflite_int8": ("int8", "uint8"),
        "onnx": ("float32", "float32"),
        "onnx_int8": ("int8", "float32"),
    }


def test_full_int8_is_of_8_bits_by_channel(exported):
    """docs/PHONES.md and its test say what its input and output are."""
    directory, _ = exported
    interpreter = Interpreter(model_path=f"{directory}/model_int8.tflite")
    details = interpreter.get_tensor_details()
    kernels = [
        detail["quantization_parameters"]["scales"]
        for detail in details
        if len(detail["shape"]) == 4 and detail["shape"][1] == 3
    ]
    # A scale for each channel.
    assert {len(scales) for scales in kernels} >= {16, 32, 64}
    floats = [d["name"] for d in details if d["dtype"] == np.float32]
    assert not floats


def test_int8_onnx_quantises_weights_by_channel(exported):
    directory, artifacts = exported
    graph = onnx.load(directory / "model_int8.onnx").graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    dtypes = {
        onnx.TensorProto.DataType.Name(tensor.data_type)
        for tensor in stored.values()
        if len(tensor.dims) == 4
    }
    assert dtypes == {"INT8"}
    assert artifacts["onnx_int8"].operators["Conv"] == 9 - 2
    scales = [
        tensor.dims[0]
        for name, tensor in stored.items()
        if name.endswith("_scale") and tensor.dims
    ]
    assert {16, 32, 64} <= set(scales)


@pytest.fixture(scope="module")
def shared(card):
    """The trained network, folded once."""
    return serving.Network(trained(), card)


def test_uint8_pixels_are_the_same_pixels(tmp_path, card, shared, split):
    path = tmp_path / "model"
    artifact = export_onnx(shared, path, card=card, input_dtype="uint8")
    assert artifact.signature["inputs"]["images"]["dtype"] == "uint8"
    actual = runtime.load_predictor(path).predict(split[0][:8])
    np.testing.assert_allclose(actual, split[1][:8], atol=1e-5)


def test_tflite_takes_any_batch_of_uint8_where_asked(
    tmp_path, card, shared, split
):
    path = tmp_path / "model.tflite"
    artifact = export_tflite(
        shared,
        path,
        card=card,
        precision="float32",
        batch=None,
        input_dtype="uint8",
    )
    images = artifact.signature["inputs"]["images"]
    assert (images["shape"][0], images["dtype"]) == (None, "uint8")
    interpreter = Interpreter(model_path=str(path))
    views = split[0][:5]
    interpreter.resize_tensor_input(
        interpreter.get_input_details()[0]["index"], views.shape
    )
    runner = interpreter.get_signature_runner("serving_default")
    probabilities = runner(images=views)["probabilities"]
    np.testing.assert_allclose(probabilities, split[1][:5], atol=1e-5)


def test_a_network_that_8_bits_break_is_refused(tmp_path, card, options):
    """Calibrated on black images, every activation is out of range."""
    black = dataclasses.replace(
        options, calibration=np.zeros_like(options.calibration)
    )
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(VerificationError) as raised:
        exported_networks.export(
            trained(), tmp_path, ["onnx_int8"], 32, options=black
        )
    assert "of top-1 accuracy are lost, more than" in str(raised.value)
    assert "the first class agrees for" in str(raised.value)
    assert "<- the first wrong layer" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("write", [export_tflite, export_onnx])
def test_int8_needs_images(tmp_path, card, write):
    with pytest.raises(UsageError, match="200 or more. Received: none"):
        write(trained(), tmp_path / "x", card=card, precision="int8")
    with pytest.raises(UsageError, match="Did you mean 'int8'"):
        write(trained(), tmp_path / "x", card=card, precision="int9")
    assert not list(tmp_path.iterdir())


def test_calibration_sees_all_values_and_leaves_the_images():
    images = np.full((2, 4, 4, 3), 100, np.uint8)
    seen = calibration.with_all_values(images)
    assert (seen.min(), seen.max()) == (0, 255)
    assert (images == 100).all()


def test_operators_are_those_of_the_papers_layers(tmp_path):
    """Three narrow units of ResNet-50 have operators of each kind."""
    choices = {"depths": (2, 1), "filters": (8, 8)}
    counts, path = {}, tmp_path / "m.tflite"
    for variant in ("resnet50", "resnet50_v2"):
        model = network(variant, input_shape=(16, 16, 3), **choices)
        card = card_of(model)
        model = serving.Network(model, card)
        artifact = export_tflite(model, path, card=card, precision="float32")
        counts[variant] = artifact.operators
    assert counts["resnet50"] == {
        "ADD": 3,
        "CONV_2D": 1 + 3 * 3 + 2,
        "FULLY_CONNECTED": 1,
        # One in the stem, and one in a shortcut whose unit strides for the next
        # stage: it takes every other pixel.
        "MAX_POOL_2D": 1 + 1,
        "MEAN": 1,
        # For the 7x7, for its pooling and for that unit's 3x3: one pixel on
        # each side, where TensorFlow would pad on two.
        "PAD": 2 + 1,
        "SOFTMAX": 1,
        "SUB": 1,  # the mean of the pixels
    }
    # 2 units and the end of the network normalise a sum.
    assert counts["resnet50_v2"] == {
        **counts["resnet50"],
        "ADD": 3 + 3,
        "MUL": 3,
    }
    path = tmp_path / "m.onnx"
    operators = export_onnx(model, path, card=card).operators
    assert operators["Transpose"] == 1
    assert operators["Conv"] == 1 + 3 * 3 + 2
    assert operators["Mul"] == 3
    # ONNX pads in convolutions and pools.
    assert operators["MaxPool"] == 1 + 1
    assert "Pad" not in operators
    # Subtraction from planes of a color is faster than from pixels.
    nodes = [n.op_type for n in onnx.load(path).graph.node]
    assert nodes[:2] == ["Transpose", "Sub"]
