"""OpenVINO reads our files and gives what the Keras model gives."""

import functools
import sys

import exported_networks
import numpy as np
import pytest
from exported_networks import card_of
from exported_networks import network

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.inference.openvino_runtime import OpenVinoPredictor

MODELS = {
    "v1": {"variant": "resnet20", "depths": (1, 1), "filters": (16, 32)},
    "v2": {
        "variant": "resnet50_v2",
        "depths": (1, 1),
        "filters": (8, 16),
        "input_shape": (32, 32, 3),
    },
}

# RMS difference from the Keras model's probabilities, divided by the RMS
# difference between two images. All images look alike to a random network.
FILES = {
    "saved_model": ("v1", 1e-4),
    "float32.tflite": ("v2", 1e-4),
    "float32.onnx": ("v1", 1e-4),
    "float16.tflite": ("v1", 1e-2),
    "dynamic_int8.tflite": ("v1", 0.2),
    "int8.tflite": ("v1", 0.4),
    "int8.onnx": ("v2", 0.4),
}


def _openvino():
    return pytest.importorskip("openvino", reason="needs openvino (peers)")


@functools.cache
def _network(name):
    model = network(**MODELS[name])
    return serving.Network(model, card_of(model))


@pytest.mark.parametrize("file", FILES)
def test_its_probabilities_are_those_of_keras(tmp_path, file):
    _openvino()
    name, bound = FILES[file]
    written = _network(name)
    if file == "saved_model":
        export_saved_model(written, tmp_path / file, card=written.card)
    else:
        exported_networks.write_precisions(written, tmp_path, [file])
    model, views = written.model, exported_networks.views(written.card)
    predictor = OpenVinoPredictor(tmp_path / file)
    assert predictor.format == "openvino"
    assert predictor.image_size == views.shape[1]
    assert predictor.num_classes == 10
    expected = exported_networks.answers(model, views)
    assert expected.std() > 0.01  # not 1 / K whatever the input
    another = _rms(expected - expected[::-1])
    for dtype in (np.uint8, np.float32):
        actual = predictor.predict(views.astype(dtype))
        assert actual.dtype == np.float32
        assert _rms(actual - expected) < bound * another
        # Another image's probabilities are not as close.
        assert _rms(actual - expected[::-1]) > 2 * bound * another
    alone = predictor.predict(views[:1])
    np.testing.assert_allclose(alone, actual[:1], rtol=0, atol=1e-6)


def _rms(difference):
    return np.sqrt(np.square(difference).mean())


def test_a_saved_model_that_resizes_is_refused_by_name(tmp_path):
    _openvino()
    path, written = tmp_path / "saved_model", _network("v1")
    export_saved_model(written, path, card=written.card, resize=True)
    message = "OpenVINO cannot read '.*saved_model'.*: ScaleAndTranslate"
    with pytest.raises(UsageError, match=message):
        OpenVinoPredictor(path)


@pytest.mark.parametrize("name", ["nowhere.onnx", "note.tflite", "m.keras"])
def test_other_files_are_refused(tmp_path, name):
    _openvino()
    if name != "nowhere.onnx":
        (tmp_path / name).write_text("not a network at all\n")
    with pytest.raises(UsageError, match=f"OpenVINO cannot read '.*{name}'"):
        OpenVinoPredictor(tmp_path / name)


def test_where_it_is_missing_the_message_says_how_to_get_it(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match="Run `pip install openvino`"):
        OpenVinoPredictor(tmp_path / "model.onnx")
