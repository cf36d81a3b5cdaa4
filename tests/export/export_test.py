"""Every format against the Keras model, and that a wrong file is caught."""

import dataclasses
import functools
import io
import json
import math
import os
import re
import shutil

import flatbuffers
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from exported_networks import NAMES
from exported_networks import card_of
from exported_networks import digits
from exported_networks import network
from PIL import Image

import keras_resnet
from keras_resnet.data import datasets
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export import pipeline
from keras_resnet.export.folding.float32 import float32_copy
from keras_resnet.export.folding.fold import fold
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.verify import VerificationError
from keras_resnet.export.verification.verify import verify as verify_isolated
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import tflite
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.inference import artifact as artifact_lib
from keras_resnet.inference import runtime
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

FORMATS = ("saved_model", "tflite_float32", "onnx")


# Most tests stay in this process, which takes a second, not five.
verify = functools.partial(verify_isolated, predict=isolated.predict)
export_tflite = functools.partial(tflite.export_tflite, precision="float32")


@dataclasses.dataclass(frozen=True)
class Export:
    model: keras.Model
    directory: object
    artifacts: dict
    images: list
    card: Card


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return _export("resnet20", tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def preact(tmp_path_factory):
    return _export("resnet50_v2", tmp_path_factory.mktemp("preact"))


@pytest.fixture(scope="session", params=["small", "preact"])
def export(request):
    return request.getfixturevalue(request.param)


def _export(variant, directory):
    model = network(variant)
    card = card_of(model)
    images, labels = digits()
    artifacts = pipeline.export_all(
        model,
        directory,
        card=card,
        formats=FORMATS,
        images=images,
        labels=labels,
        predict=isolated.predict,
    )
    by_format = {artifact.format: artifact for artifact in artifacts}
    return Export(model, directory, by_format, images, card)


def views(images, card):
    return np.stack(
        [transforms.evaluation(image, View.of(card)) for image in images]
    )


@pytest.fixture
def copied(small, tmp_path):
    """A directory of the export that a test may damage."""
    directory = tmp_path / "exported"
    shutil.copytree(small.directory, directory)
    return directory


def sign_again(directory, format):
    """Makes the manifest fit a file that was changed."""
    artifacts = [
        dataclasses.replace(a, sha256=artifact_lib.sha256(directory / a.path))
        if a.format == format
        else a
        for a in artifact_lib.read_manifest(directory)
    ]
    card = card_of(network())
    manifest.write_manifest(directory, artifacts, card)


# What is written.


@pytest.mark.parametrize("format", ["saved_model", "tflite", "onnx"])
def test_equals_the_keras_model(export, format):
    path = export.directory / export.artifacts[format].path
    inputs = views(export.images, export.card)
    expected = export.model.predict_on_batch(inputs.astype(np.float32))
    assert expected.std() > 0.01  # not 1 / K whatever the input
    for dtype in (np.uint8, np.float32):
        actual = runtime.load_predictor(path).predict(inputs.astype(dtype))
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_manifest_holds_what_was_measured(export):
    artifacts = artifact_lib.read_manifest(export.directory)
    assert artifacts == list(export.artifacts.values())
    assert [a.format for a in artifacts] == ["saved_model", "tflite", "onnx"]
    for artifact in artifacts:
        path = export.directory / artifact.path
        assert artifact.sha256 == artifact_lib.sha256(path)
        assert artifact.max_abs_diff <= 1e-5
        assert artifact.relative_logit_diff <= 1e-4
        assert artifact.top1_agreement == 1.0
        assert artifact.num_images == len(export.images)


def test_directory_holds_one_complete_export(small):
    assert sorted(path.name for path in small.directory.iterdir()) == [
        "card.json",
        "labels.txt",
        "manifest.json",
        "model.onnx",
        "model_float32.tflite",
        "samples",
        "saved_model",
    ]
    samples = sorted(small.directory.glob("samples/*"))
    for i, path in enumerate(samples):
        assert re.fullmatch(rf"0{i}_label-\d\.png", path.name)
    _, labels = digits()
    sampled = [path.stem[-1] for path in samples]
    assert len(sampled) == 8
    assert set(sampled) == {str(label) for label in labels}
    assert (small.directory / "labels.txt").read_text().split() == [*NAMES]


def test_saved_model_stores_each_weight_once(export):
    path = export.directory / "saved_model"
    stored = sum(f.stat().st_size for f in path.glob("variables/*.data*"))
    network = fold(export.model)
    weights = sum(4 * int(np.prod(w.shape)) for w in network.weights)
    assert weights <= stored < 1.1 * weights
    # The graph is the rest: it does not grow with the widths.
    assert export.artifacts["saved_model"].bytes - stored < 500_000


def test_tflite_keeps_names_and_fuses_normalisations(small):
    interpreter = Interpreter(
        model_path=f"{small.directory}/model_float32.tflite"
    )
    signature = interpreter.get_signature_list()["serving_default"]
    assert signature == {"inputs": ["images"], "outputs": ["probabilities"]}
    interpreter.allocate_tensors()
    ops = [op["op_name"] for op in interpreter._get_ops_details()]
    assert ops.count("CONV_2D") == 7
    # One difference, of the pixels, and no product.
    assert ops.count("SUB") == 1
    assert ops.count("MUL") + ops.count("DIV") == 0


def test_tflite_takes_a_batch_image_by_image(small):
    predictor = runtime.load_predictor(small.directory / "model_float32.tflite")
    batch = views(small.images[:3], small.card)
    assert predictor.predict(batch).shape == (3, 10)
    for image, row in zip(batch, predictor.predict(batch), strict=True):
        np.testing.assert_array_equal(predictor.predict(image[None])[0], row)


def test_onnx_takes_any_batch_by_name(small):
    path = small.directory / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    (images,), (output,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape) == ("images", ["batch", 16, 16, 3])
    assert (output.name, output.shape) == ("probabilities", ["batch", 10])
    batch = views(small.images[:3], small.card).astype(np.float32)
    all_three = session.run(["probabilities"], {"images": batch})[0]
    one = session.run(["probabilities"], {"images": batch[:1]})[0]
    np.testing.assert_allclose(one[0], all_three[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("opset", [13, 18])
def test_onnx_writes_the_opset_asked_for(small, tmp_path, opset):
    path = tmp_path / "model.onnx"
    export_onnx(small.model, path, card=small.card, opset=opset)
    assert onnx.load(path).opset_import[0].version == opset
    batch = views(small.images[:2], small.card)
    np.testing.assert_allclose(
        runtime.load_predictor(path).predict(batch),
        small.model.predict_on_batch(batch.astype(np.float32)),
        rtol=0,
        atol=1e-5,
    )


def test_onnx_leaves_the_environment_alone(small, tmp_path, monkeypatch):
    monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "before")
    export_onnx(small.model, tmp_path / "m.onnx", card=small.card)
    assert os.environ["TF2ONNX_CATCH_ERRORS"] == "before"


def _encode(pixels, format):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def test_serve_bytes_decodes_resizes_and_crops(small):
    rng = np.random.default_rng(0)
    sizes = [(40, 60), (33, 20), (9, 9), (128, 50)]
    formats = ["JPEG", "PNG", "BMP", "JPEG"]
    files = [
        _encode(rng.integers(0, 256, (*size, 3), np.uint8), format)
        for size, format in zip(sizes, formats, strict=True)
    ]
    files.append(_encode(small.images[0][..., 0], "PNG"))  # grey
    decoded = [decoding.decode(file).numpy() for file in files]
    batch = views(decoded, small.card)
    expected = small.model.predict_on_batch(batch.astype(np.float32))
    predictor = runtime.load_predictor(small.directory / "saved_model")
    actual = predictor.predict_bytes(files)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_mixed_precision_exports_as_float32(tmp_path):
    mixed = network(dtype="mixed_bfloat16")
    full = network(dtype="float32", seed=1)
    full.set_weights(mixed.get_weights())
    batch = views(digits(8)[0], card_of(full)).astype(np.float32)
    expected = full.predict_on_batch(batch)
    # The measurement sees the difference that the copy removes.
    assert abs(mixed.predict_on_batch(batch) - expected).max() > 1e-4
    export_tflite(mixed, tmp_path / "m.tflite", card=card_of(mixed))
    actual = runtime.load_predictor(tmp_path / "m.tflite").predict(batch)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "choices",
    [
        {"dtype": "mixed_bfloat16"},
        {"dtype": "bfloat16"},
        {"shortcut": "dropout", "dtype": "mixed_float16"},
        {"shortcut": "exclusive_gating", "placement": "full_preact"},
    ],
)
def test_float32_copy_is_equal_and_independent(choices):
    model = network(**choices)
    copy = float32_copy(model)
    policies = {layer.dtype_policy.name for layer in copy._flatten_layers()}
    assert policies == {"float32"}
    for ours, theirs in zip(copy.weights, model.weights, strict=True):
        value = keras.ops.convert_to_numpy(keras.ops.cast(theirs, "float32"))
        np.testing.assert_array_equal(ours.numpy(), value)
    before = copy.get_weights()
    for weight in model.weights:
        weight.assign(weight * 0)
    for value, ours in zip(before, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(value, ours)


def test_model_of_any_size_takes_the_card_s(small, tmp_path):
    model = network(input_shape=(None, None, 3))
    model.set_weights(small.model.get_weights())
    batch = views(small.images[:2], small.card)
    expected = small.model.predict_on_batch(batch.astype(np.float32))
    for name, function in (
        ("saved_model", export_saved_model),
        ("m.tflite", export_tflite),
        ("m.onnx", export_onnx),
    ):
        function(model, tmp_path / name, card=small.card)
        predictor = runtime.load_predictor(tmp_path / name)
        assert predictor.image_size == (None if name == "saved_model" else 16)
        actual = predictor.predict(batch)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_failed_export_leaves_the_earlier_file(small, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    earlier = (small.directory / path.name).read_bytes()
    path.write_bytes(earlier)

    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(onnx, "save", fail)
    with pytest.raises(OSError, match="no space left"):
        export_onnx(small.model, path, card=small.card)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [earlier]


def test_export_replaces_an_earlier_one_as_a_whole(small, copied):
    images, labels = digits(4)
    pipeline.export_all(
        small.model,
        copied,
        card=small.card,
        formats=["tflite_float32"],
        images=images,
        labels=labels,
        predict=isolated.predict,
    )
    assert sorted(path.name for path in copied.iterdir()) == [
        "card.json",
        "labels.txt",
        "manifest.json",
        "model_float32.tflite",
        "samples",
    ]
    assert len(list(copied.glob("samples/*"))) == 4
    assert len(verify(copied, small.model, images)) == 1


# What verify catches.


def _change_onnx(path, op_types, index, delta):
    proto = onnx.load(path)
    nodes = [node for node in proto.graph.node if node.op_type in op_types]
    name = nodes[index].input[1]
    (tensor,) = [t for t in proto.graph.initializer if t.name == name]
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[(0,) * values.ndim] += delta
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    onnx.save(proto, path)


def _change_tflite(path, op_type, index, delta):
    root = schema.Model.GetRootAs(path.read_bytes(), 0)
    model = schema.ModelT.InitFromObj(root)
    graph = model.subgraphs[0]
    codes = [code.builtinCode for code in model.operatorCodes]
    ops = [op for op in graph.operators if codes[op.opcodeIndex] == op_type]
    tensor = graph.tensors[ops[index].inputs[1]]
    buffer = model.buffers[tensor.buffer]
    values = buffer.data.view(np.float32).reshape(tensor.shape).copy()
    values[(0,) * values.ndim] += delta
    buffer.data = values.view(np.uint8).ravel()
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def _change_saved_model(directory, small, layer, delta):
    model = float32_copy(small.model)
    layer = model.get_layer(layer)
    kernels = [w for w in layer.weights if w.name == "kernel"]
    values = kernels[0].numpy()
    values[(0,) * values.ndim] += delta
    kernels[0].assign(values)
    export_saved_model(model, directory / "saved_model", card=small.card)


CHANGES = {
    ("onnx", "convolution"): lambda directory, small, delta: _change_onnx(
        directory / "model.onnx", ("Conv",), 3, delta
    ),
    ("onnx", "classifier"): lambda directory, small, delta: _change_onnx(
        directory / "model.onnx", ("MatMul", "Gemm"), 0, delta
    ),
    ("tflite", "convolution"): lambda directory, small, delta: _change_tflite(
        directory / "model_float32.tflite",
        schema.BuiltinOperator.CONV_2D,
        3,
        delta,
    ),
    ("tflite", "classifier"): lambda directory, small, delta: _change_tflite(
        directory / "model_float32.tflite",
        schema.BuiltinOperator.FULLY_CONNECTED,
        0,
        delta,
    ),
    ("saved_model", "convolution"): lambda directory, small, delta: (
        _change_saved_model(directory, small, "stage2_unit1", delta)
    ),
    ("saved_model", "classifier"): lambda directory, small, delta: (
        _change_saved_model(directory, small, "logits", delta)
    ),
}


@pytest.mark.parametrize("change", CHANGES, ids="-".join)
def test_one_changed_weight_is_caught(small, copied, change):
    format, _ = change
    # Rewritten with the same weights it passes: the change is what is seen.
    CHANGES[change](copied, small, 0.0)
    sign_again(copied, format)
    assert len(verify(copied, small.model, small.images)) == 4
    # A convolution's weights have a standard deviation of 0.08. Changes of the
    # weights of a channel that a ReLU keeps at zero cannot be seen.
    CHANGES[change](copied, small, 0.1)
    sign_again(copied, format)
    with pytest.raises(VerificationError) as raised:
        verify(copied, small.model, small.images)
    breaches = str(raised.value).splitlines()[1:-1]
    path = small.artifacts[format].path
    assert all(line.strip().startswith(path) for line in breaches)
    assert "probability differs" in str(raised.value)


def test_error_that_softmax_hides_is_caught(copied, small):
    """A sure network: every probability is 0 or 1 to within 1e-4."""
    sure = float32_copy(small.model)
    logits = sure.get_layer("logits")
    logits.bias.assign(40.0 * np.eye(10)[3])
    wrong = float32_copy(sure)
    kernel = wrong.get_layer("logits").kernel
    kernel.assign(kernel + 0.1 * np.eye(*kernel.shape))
    export_onnx(wrong, copied / "model.onnx", card=small.card)
    export_tflite(sure, copied / "model_float32.tflite", card=small.card)
    export_saved_model(sure, copied / "saved_model", card=small.card)
    for format in small.artifacts:
        sign_again(copied, format)
    with pytest.raises(VerificationError) as raised:
        verify(copied, sure, small.images)
    (breach,) = str(raised.value).splitlines()[1:-1]
    assert "model.onnx (serving_default): a logit differs" in breach


def test_wrong_preprocessing_inside_is_caught(small, copied):
    """serve_bytes alone is wrong: it crops another part of the image."""
    card = card_of(small.model, eval_resize=32)
    export_saved_model(small.model, copied / "saved_model", card=card)
    sign_again(copied, "saved_model")
    with pytest.raises(VerificationError) as raised:
        verify(copied, small.model, small.images)
    assert "saved_model (serve_bytes)" in str(raised.value)
    assert "saved_model (serving_default)" not in str(raised.value)


def test_another_model_is_caught(small):
    with pytest.raises(VerificationError) as raised:
        verify(small.directory, network(seed=2), small.images)
    for path in ("saved_model", "model_float32.tflite", "model.onnx"):
        assert path in str(raised.value)


def test_tolerance_is_what_is_asked_for(small):
    reports = verify(small.directory, small.model, small.images)
    worst = max(report.max_abs_diff for report in reports)
    assert 0 < worst < 1e-5
    with pytest.raises(VerificationError, match="a probability differs"):
        verify(small.directory, small.model, small.images, tolerance=worst / 2)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [_flip, _truncate])
@pytest.mark.parametrize(
    "file",
    [
        "model_float32.tflite",
        "model.onnx",
        "saved_model/variables/variables.data-00000-of-00001",
    ],
)
def test_damaged_file_is_caught_by_its_sha256(small, copied, file, damage):
    damage(copied / file)
    with pytest.raises(VerificationError) as raised:
        verify(copied, small.model, small.images)
    (breach,) = str(raised.value).splitlines()[1:-1]
    assert breach.strip().startswith(file.split("/")[0])
    assert "sha256 is not the manifest's" in breach


def test_missing_file_is_caught_beside_the_others(small, copied):
    (copied / "model.onnx").unlink()
    _flip(copied / "model_float32.tflite")
    with pytest.raises(VerificationError) as raised:
        verify(copied, small.model, small.images)
    assert "model.onnx: it is missing" in str(raised.value)
    assert "model_float32.tflite: its sha256" in str(raised.value)


def test_failed_verification_leaves_the_directory(small, tmp_path, monkeypatch):
    """A converter that loses something must not leave its file behind."""

    def broken(right, path, **options):
        wrong = serving.Network(network(seed=3), right.card)
        return tflite.write_tflite(wrong, path, **options)

    monkeypatch.setattr(formats, "write_tflite", broken)
    (tmp_path / "mine.txt").write_text("mine")
    images, labels = digits(4)
    with pytest.raises(VerificationError, match="model_float32.tflite"):
        pipeline.export_all(
            small.model,
            tmp_path,
            card=small.card,
            formats=["tflite_float32"],
            images=images,
            labels=labels,
            predict=isolated.predict,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# What runtime.load and export_all say of what cannot work.


@pytest.mark.parametrize("name", ["model_float32.tflite", "model.onnx"])
@pytest.mark.parametrize("kept", [0.5, 0.01])
def test_truncated_file_is_a_usage_error(small, tmp_path, name, kept):
    data = (small.directory / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UsageError, match="cannot be read as a network"):
        runtime.load_predictor(tmp_path / name)


def test_damaged_saved_model_is_a_usage_error(copied):
    _truncate(copied / "saved_model" / "saved_model.pb")
    with pytest.raises(UsageError, match=r"as a network \(saved_model\)"):
        runtime.load_predictor(copied / "saved_model")


def test_keras_file_is_read_or_refused(small, tmp_path):
    path = tmp_path / "model.keras"
    small.model.save(path)
    batch = views(small.images[:3], small.card)
    predictor = runtime.load_predictor(path)
    assert (predictor.format, predictor.image_size) == ("keras", 16)
    np.testing.assert_allclose(
        predictor.predict(batch),
        small.model.predict_on_batch(batch.astype(np.float32)),
        rtol=0,
        atol=1e-6,
    )
    _truncate(path)
    with pytest.raises(UsageError, match="damaged: its end is missing"):
        runtime.load_predictor(path)
    small.model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(UsageError, match="holds weights alone"):
        runtime.load_predictor(tmp_path / "m.weights.h5")


def test_other_files_are_refused(small, tmp_path):
    with pytest.raises(UsageError, match="There is no model '.*nowhere'"):
        runtime.load_predictor(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("not a network at all\n")
    with pytest.raises(UsageError, match=r"note.txt' cannot be read"):
        runtime.load_predictor(tmp_path / "note.txt")
    with pytest.raises(UsageError, match=r"It holds: .*model\.onnx, .*tflite"):
        runtime.load_predictor(small.directory)
    with pytest.raises(UsageError, match="Expected a .keras file.*tflite"):
        runtime.load_keras(small.directory / "model_float32.tflite")


def _check(small, tmp_path, **changes):
    arguments = {
        "model": small.model,
        "card": small.card,
        "formats": FORMATS,
        **changes,
    }
    model = arguments.pop("model")
    pipeline.check(model, tmp_path / "out", **arguments)


def test_arguments_are_checked_before_any_work(small, tmp_path):
    card = dataclasses.replace(small.card, class_names=("a", "b"))
    for message, changes in {
        r"Unknown format 'tflit'\. Did you mean 'tflite'": {
            "formats": ["tflit"]
        },
        "formats is empty": {"formats": []},
        "opset must be 13 to 18.*Received: opset=21": {
            "options": formats.Options(opset=21)
        },
        "int8 needs calibration images.*Received: none": {
            "formats": ["tflite_int8"]
        },
        r"must be uint8 \(N, 16, 16, 3\). Received: float64 \(2, 8, 8, 3\)": {
            "formats": ["onnx_int8"],
            "options": formats.Options(calibration=np.zeros((2, 8, 8, 3))),
        },
        "Unknown input dtype 'int8'": {
            "options": formats.Options(input_dtype="int8")
        },
        "10 classes, its labels.txt 2 names": {"card": card},
        "32 x 32 pixels, as its card says": {
            "card": card_of(small.model, image_size=32, eval_resize=36)
        },
        "must end in its probabilities": {
            "model": keras_resnet.logits(small.model)
        },
    }.items():
        with pytest.raises(UsageError, match=message):
            _check(small, tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_unwritable_directory_is_named(small, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="Cannot write to '.*out'"):
        _check(small, tmp_path)


def test_data_set_of_other_classes_is_refused(small, tmp_path):
    for name in ("train", "validation"):
        folder = tmp_path / name / "cat"
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(_encode(small.images[0], "PNG"))
    message = "10 classes and folder:.* has 1.*Only in the data: 'cat'"
    with pytest.raises(UsageError, match=message):
        pipeline.split_of(small.card, dataset=f"folder:{tmp_path}")


def test_damaged_manifest_is_named(small, copied):
    _truncate(copied / "manifest.json")
    with pytest.raises(UsageError, match="manifest.json' is damaged"):
        verify(copied, small.model, small.images)
    (copied / "manifest.json").unlink()
    with pytest.raises(UsageError, match="There is no manifest.json"):
        verify(copied, small.model, small.images)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("path", math.nan, "path must be a text. Received: nan"),
        ("bytes", "12", "bytes must be a whole number. Received: '12'"),
        ("signature", [], "signature must be an object"),
        ("max_abs_diff", "small", "max_abs_diff must be a number"),
    ],
)
def test_a_manifest_of_wrong_types_is_refused(
    small, copied, field, value, message
):
    path = copied / "manifest.json"
    fields = json.loads(path.read_text())
    fields["artifacts"][0][field] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(UsageError, match=f"is damaged.*{message}"):
        verify(copied, small.model, small.images)


def test_images_of_a_folder_come_as_they_are_stored(small, tmp_path):
    sizes = [(10, 12), (20, 8), (9, 9)]
    for name in ("train", "validation"):
        for label, size in enumerate(sizes):
            folder = tmp_path / name / str(label)
            folder.mkdir(parents=True)
            pixels = np.full((*size, 3), label, np.uint8)
            (folder / "1.png").write_bytes(_encode(pixels, "PNG"))
    split = datasets.load(f"folder:{tmp_path}", "validation")
    images, labels = pipeline.read_images(split, 64)
    assert [image.shape[:2] for image in images] == sizes
    assert labels == [0, 1, 2]
    assert tf.reduce_all(images[2] == 2)
