"""A wrong file of an export is caught, and named."""

import json
import math
import shutil

import exported_networks
import numpy as np
import onnx
import pytest
import tflite_files
from exported_networks import card_of
from exported_networks import digits
from exported_networks import export
from exported_networks import network
from exported_networks import sign_again

from keras_resnet.errors import UsageError
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification import verify as verify_lib
from keras_resnet.export.verification.verify import VerificationError
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.inference import artifact
from keras_resnet.inference import runtime

FILES = {
    "saved_model": "saved_model",
    "tflite": "model_float32.tflite",
    "onnx": "model.onnx",
}


FOUND = {}


def predict(path, inputs, *, runtime):
    """`isolated.predict`, run once for files of the same bytes."""
    key = (path.name, artifact.sha256(path), runtime)
    if key not in FOUND:
        FOUND[key] = isolated.predict(path, inputs, runtime=runtime)
    return FOUND[key]


def verify(directory, model, **choices):
    images, _ = digits()
    return verify_lib.verify(
        directory, model, images, predict=predict, **choices
    )


def breaches(directory, model, **choices):
    """The lines that say what is wrong."""
    with pytest.raises(VerificationError) as raised:
        verify(directory, model, **choices)
    return [line.strip() for line in str(raised.value).splitlines()[1:-1]]


# A weight is changed by adding to the first number of its tensor.


def _add(values, delta):
    values = np.array(values)
    values[(0,) * values.ndim] += delta
    return values


def _change_onnx(directory, model, part, delta):
    proto = onnx.load(directory / FILES["onnx"])
    kinds = {"stage2_unit1": ("Conv",), "logits": ("MatMul", "Gemm")}[part]
    nodes = [node for node in proto.graph.node if node.op_type in kinds]
    name = nodes[3 if part == "stage2_unit1" else 0].input[1]
    (tensor,) = [t for t in proto.graph.initializer if t.name == name]
    values = _add(onnx.numpy_helper.to_array(tensor), delta)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    onnx.save(proto, directory / FILES["onnx"])


def _change_tflite(directory, model, part, delta):
    path = directory / FILES["tflite"]
    file = tflite_files.unpacked(path.read_bytes())
    where = {"stage2_unit1": ("CONV_2D", 3), "logits": ("FULLY_CONNECTED", 0)}
    tensor = tflite_files.weights(file, *where[part])
    buffer = file.buffers[tensor.buffer]
    values = buffer.data.view(np.float32).reshape(tensor.shape)
    buffer.data = _add(values, delta).view(np.uint8).ravel()
    path.write_bytes(tflite_files.packed(file))


def _change_saved_model(directory, model, part, delta):
    other = float32_copy(model)
    weights = other.get_layer(part).weights
    kernel = next(weight for weight in weights if weight.name == "kernel")
    kernel.assign(_add(kernel, delta))
    export_saved_model(other, directory / "saved_model", card=card_of(model))


CHANGES = {
    "onnx": _change_onnx,
    "tflite": _change_tflite,
    "saved_model": _change_saved_model,
}


def test_files_rewritten_with_the_same_weights_pass(copied, model):
    """Rewriting alone is no breach. A SavedModel is tested further down."""
    for format in ("onnx", "tflite"):
        CHANGES[format](copied, model, "stage2_unit1", 0.0)
    sign_again(copied)
    assert len(verify(copied, model)) == 4


@pytest.mark.parametrize(
    "format, part",
    [
        ("onnx", "stage2_unit1"),
        ("onnx", "logits"),
        ("tflite", "stage2_unit1"),
        ("tflite", "logits"),
        ("saved_model", "stage2_unit1"),
    ],
)
def test_one_changed_weight_is_caught(model, copied, format, part):
    # A convolution's weights have a standard deviation of 0.08. Changes of the
    # weights of a channel that a ReLU keeps at zero cannot be seen.
    CHANGES[format](copied, model, part, 0.1)
    sign_again(copied)
    lines = breaches(copied, model)
    assert all(line.startswith(FILES[format]) for line in lines)
    assert "probability differs" in lines[0]


def test_error_that_softmax_hides_is_caught(tmp_path, model):
    """A sure network: every probability is 0 or 1 to within 1e-4."""
    sure = float32_copy(model)
    sure.get_layer("logits").bias.assign(40.0 * np.eye(10)[3])
    export(sure, tmp_path, ("tflite_float32", "onnx"))
    _change_onnx(tmp_path, sure, "logits", 0.1)
    sign_again(tmp_path)
    (breach,) = breaches(tmp_path, sure)
    assert "model.onnx (serving_default): a logit differs" in breach


def test_another_view_inside_is_caught(model, copied):
    """`serve_bytes` crops another part; whole images are cropped too."""
    other = card_of(model, eval_resize=32)
    path = copied / FILES["saved_model"]
    for card in (card_of(model), other):
        export_saved_model(model, path, card=card, resize=True)
        sign_again(copied)
        if card is not other:
            verify(copied, model)
    names = {line.partition(":")[0] for line in breaches(copied, model)}
    signatures = ("serve_bytes", "serving_default")
    assert names == {f"saved_model ({name})" for name in signatures}


def test_another_model_is_caught(exported):
    lines = breaches(exported, network(seed=2))
    for path in FILES.values():
        assert any(line.startswith(path) for line in lines)


def test_tolerance_is_what_is_asked_for(exported, model):
    worst = max(report.max_abs_diff for report in verify(exported, model))
    assert 0 < worst < 1e-5
    lines = breaches(exported, model, tolerance=worst / 2)
    assert "a probability differs" in lines[0]


# Damaged files.


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_damaged_and_missing_files_are_caught_by_their_sha256(copied, model):
    weights = "saved_model/variables/variables.data-00000-of-00001"
    data = bytearray((copied / weights).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / weights).write_bytes(data)
    _cut(copied / "model_float32.tflite")
    (copied / "model.onnx").unlink()
    changed = "its sha256 is not the manifest's: it was changed or damaged."
    assert sorted(breaches(copied, model)) == [
        "model.onnx: it is missing.",
        f"model_float32.tflite: {changed}",
        f"{weights}: {changed}",
    ]


def _half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def kinds(exported, model, tmp_path_factory):
    """An export with other files beside it."""
    folder = tmp_path_factory.mktemp("kinds") / "kinds"
    shutil.copytree(exported, folder)
    model.save(folder / "model.keras")
    model.save_weights(folder / "m.weights.h5")
    (folder / "note.txt").write_text("not a network at all\n")
    return folder


@pytest.mark.parametrize(
    "name, damage, message",
    [
        ("model_float32.tflite", _half, "cannot be read as a network"),
        ("model.onnx", _half, "cannot be read as a network"),
        ("saved_model/saved_model.pb", _cut, r"as a network \(saved_model\)"),
        ("model.keras", _cut, "damaged: its end is missing"),
        ("m.weights.h5", None, "holds weights alone"),
        ("note.txt", None, "note.txt' cannot be read"),
        ("nowhere", None, "There is no model '.*nowhere'"),
        (".", None, r"It holds: .*model\.onnx, .*tflite"),
    ],
)
def test_what_is_no_network_is_said(kinds, tmp_path, name, damage, message):
    path = shutil.copytree(kinds, tmp_path / "copied") / name
    if damage:
        damage(path)
    path = path.parent if path.name == "saved_model.pb" else path
    with pytest.raises(UsageError, match=message):
        runtime.load_predictor(path)


def test_only_a_keras_file_is_loaded_as_a_model(kinds, model):
    views = exported_networks.views(card_of(model))
    predictor = runtime.load_predictor(kinds / "model.keras")
    assert (predictor.format, predictor.image_size) == ("keras", 16)
    expected = exported_networks.answers(model, views)
    np.testing.assert_allclose(predictor.predict(views), expected, atol=1e-6)
    message = "Expected a .keras file.*tflite.*made from"
    with pytest.raises(UsageError, match=message):
        runtime.load_keras(kinds / FILES["tflite"])


@pytest.mark.parametrize(
    "field, value, message",
    [
        (None, None, "manifest.json' is damaged"),
        ("path", math.nan, "path must be a text. Received: nan"),
        ("bytes", "12", "bytes must be a whole number. Received: '12'"),
        ("signature", [], "signature must be an object"),
        ("max_abs_diff", "small", "max_abs_diff must be a number"),
    ],
)
def test_a_damaged_manifest_is_refused(copied, model, field, value, message):
    path = copied / "manifest.json"
    fields = json.loads(path.read_text())
    if field:
        fields["artifacts"][0][field] = value
        path.write_text(json.dumps(fields))
    else:
        _cut(path)
    with pytest.raises(UsageError, match=message):
        verify(copied, model)


def test_a_missing_manifest_is_named(tmp_path, model):
    with pytest.raises(UsageError, match="There is no manifest.json"):
        verify(tmp_path, model)
