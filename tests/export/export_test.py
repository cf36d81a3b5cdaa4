"""Every format against the Keras model, and what is refused before any work."""

import dataclasses
import os
import re

import exported_networks
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from exported_networks import NAMES
from exported_networks import card_of
from exported_networks import digits
from exported_networks import network
from photographs import encoded

import keras_resnet
from keras_resnet.data import datasets
from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export import pipeline
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.folding.fold import fold
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import artifact as artifact_lib
from keras_resnet.inference import runtime

FORMATS = ("saved_model", "tflite_float32", "onnx")


@pytest.fixture(scope="module")
def views(model):
    return exported_networks.views(card_of(model))


# What is written.


@pytest.mark.parametrize(
    "file", ["saved_model", "model_float32.tflite", "model.onnx"]
)
def test_equals_the_keras_model(exported, model, views, file):
    expected = exported_networks.answers(model, views)
    assert expected.std() > 0.01  # not 1 / K whatever the input
    predictor = runtime.load_predictor(exported / file)
    for dtype in (np.uint8, np.float32):
        actual = predictor.predict(views.astype(dtype))
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_manifest_holds_what_was_measured(exported):
    artifacts = artifact_lib.read_manifest(exported)
    assert [a.format for a in artifacts] == ["tflite", "onnx", "saved_model"]
    for artifact in artifacts:
        assert artifact.max_abs_diff <= 1e-5
        assert artifact.relative_logit_diff <= 1e-4
        assert (artifact.top1_agreement, artifact.num_images) == (1.0, 8)


def test_directory_holds_one_complete_export(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        *("card.json", "labels.txt", "manifest.json", "model.onnx"),
        *("model_float32.tflite", "samples", "saved_model"),
    ]
    samples = sorted(path.name for path in exported.glob("samples/*"))
    assert all(re.fullmatch(r"0\d_label-\d\.png", name) for name in samples)
    _, labels = digits(8)
    assert len(samples) == 8
    assert {name[9] for name in samples} == {str(label) for label in labels}
    assert (exported / "labels.txt").read_text().split() == [*NAMES]


def test_saved_model_stores_each_weight_once(exported, model):
    stored = sum(f.stat().st_size for f in exported.rglob("*.data*"))
    weights = sum(4 * np.prod(w.shape) for w in fold(model).weights)
    assert weights <= stored < 1.1 * weights
    # The graph is the rest: it does not grow with the widths.
    *_, artifact = artifact_lib.read_manifest(exported)
    assert artifact.bytes - stored < 500_000


def test_onnx_names_its_ends_and_takes_any_batch(exported):
    path = exported / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    (images,), (output,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape) == ("images", ["batch", 16, 16, 3])
    assert (output.name, output.shape) == ("probabilities", ["batch", 10])


@pytest.mark.parametrize("opset", [13, 18])
def test_onnx_writes_the_opset_asked_for(
    model, views, tmp_path, monkeypatch, opset
):
    monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "before")
    path = tmp_path / "model.onnx"
    export_onnx(model, path, card=card_of(model), opset=opset)
    assert os.environ["TF2ONNX_CATCH_ERRORS"] == "before"
    assert onnx.load(path).opset_import[0].version == opset
    actual = runtime.load_predictor(path).predict(views)
    expected = exported_networks.answers(model, views)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_mixed_precision_exports_as_float32(views, tmp_path):
    small = {"depths": (1, 1), "filters": (16, 32)}
    model = network(**small)
    mixed = network(**small, dtype="mixed_bfloat16")
    mixed.set_weights(model.get_weights())
    expected = exported_networks.answers(model, views)
    # The measurement sees the difference that the copy removes.
    difference = exported_networks.answers(mixed, views) - expected
    assert abs(difference).max() > 1e-4
    path = tmp_path / "m.onnx"
    export_onnx(mixed, path, card=card_of(mixed))
    actual = runtime.load_predictor(path).predict(views)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "choices",
    [
        {"dtype": "bfloat16"},
        {
            "shortcut": "dropout",
            "dtype": "mixed_float16",
            "stochastic_depth": 0.5,
        },
        {"shortcut": "exclusive_gating", "placement": "full_preact"},
    ],
)
def test_float32_copy_is_equal_and_independent(choices):
    model = network(depths=(1, 1), filters=(16, 32), **choices)
    copy = float32_copy(model)
    policies = {layer.dtype_policy.name for layer in copy._flatten_layers()}
    assert policies == {"float32"}
    before = [
        keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        for weight in model.weights
    ]
    for weight in model.weights:
        weight.assign(weight * 0)
    for value, ours in zip(before, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(value, ours)


def test_model_of_any_size_takes_the_card_s(tmp_path):
    """Uses v2, which leaves normalisations unfused."""
    small = {"depths": (1, 1), "filters": (8, 16)}
    model = network("resnet50_v2", **small)
    free = network("resnet50_v2", **small, input_shape=(None, None, 3))
    free.set_weights(model.get_weights())
    shared = serving.Network(free, card_of(model))
    views = exported_networks.views(shared.card)
    expected = exported_networks.answers(model, views)
    assert expected.std() > 0.01
    for write, choices in (
        (export_saved_model, {}),
        (export_onnx, {}),
        (export_tflite, {"precision": "float32"}),
    ):
        path = tmp_path / write.__name__
        write(shared, path, card=shared.card, **choices)
        predictor = runtime.load_predictor(path)
        size = None if write is export_saved_model else 32
        assert predictor.image_size == size
        actual = predictor.predict(views)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


# What export_all refuses before any work.


def _options(**choices):
    return {"options": formats.Options(**choices)}


def _card(**changes):
    return {"card": card_of(network(), **changes)}


REFUSED = {
    r"Unknown format 'tflit'\. Did you mean 'tflite'": {"formats": ["tflit"]},
    "formats is empty": {"formats": []},
    "opset must be 13 to 18.*Received: opset=21": _options(opset=21),
    "int8 needs .*200 or more. Received: none": {"formats": ["tflite_int8"]},
    r"must be uint8 \(N, 16, 16, 3\). Received: float64 \(2, 8, 8, 3\)": {
        "formats": ["onnx_int8"],
        **_options(calibration=np.zeros((2, 8, 8, 3))),
    },
    "Unknown input dtype 'int8'": _options(input_dtype="int8"),
    "32 x 32 pixels, as its card": _card(image_size=32, eval_resize=36),
}


@pytest.mark.parametrize("message", REFUSED)
def test_arguments_are_checked_before_any_work(model, tmp_path, message):
    arguments = {"card": card_of(model), "formats": FORMATS}
    arguments |= REFUSED[message]
    with pytest.raises(UsageError, match=message):
        pipeline.check(model, tmp_path / "out", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_of_another_card_or_of_logits_is_refused(model, tmp_path):
    card = card_of(model)
    two = dataclasses.replace(card, class_names=("a", "b"))
    for other, card, message in (
        (model, two, "10 classes, its labels.txt 2 names"),
        (keras_resnet.logits(model), card, "must end in its probabilities"),
    ):
        with pytest.raises(UsageError, match=message):
            pipeline.check(other, tmp_path, card=card, formats=FORMATS)


def test_unwritable_directory_is_named(model, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="Cannot write to '.*out'"):
        exported_networks.export(model, tmp_path / "out")


def test_images_of_a_folder_come_as_they_are_stored(model, tmp_path):
    sizes = [(10, 12), (20, 8), (9, 9)]
    for name in ("train", "validation"):
        for label, size in enumerate(sizes):
            path = tmp_path / name / f"cat{label}" / "1.png"
            path.parent.mkdir(parents=True)
            pixels = np.full((*size, 3), label, np.uint8)
            path.write_bytes(encoded(pixels, "PNG"))
    split = datasets.load(f"folder:{tmp_path}", "validation")
    images, labels = pipeline.read_images(split, 64)
    assert [image.shape[:2] for image in images] == sizes
    assert labels == [0, 1, 2]
    assert (images[2] == 2).all()
    # Data of other classes are refused.
    message = "10 classes and folder:.* has 3.*Only in the data: 'cat0'"
    with pytest.raises(UsageError, match=message):
        pipeline.split_of(card_of(model), dataset=f"folder:{tmp_path}")
