"""Exported files predict where there is neither TensorFlow nor Keras."""

import json
import subprocess
import sys

import numpy as np
import pytest
from exported_networks import answers
from exported_networks import card_of
from exported_networks import network
from PIL import Image

from keras_resnet.data.pixels import transforms
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.labels.view import View

PROGRAM = """
import json, sys
sys.modules["tensorflow"] = None
import keras_resnet
from keras_resnet.errors import UsageError
folder, answers = sys.argv[1], {}
for name in ("model.tflite", "model.onnx"):
    found = keras_resnet.predict(f"{folder}/{name}", f"{folder}/a.png", top=10)
    answers[name] = dict(found[0].top)
assert "keras" not in sys.modules
try:
    keras_resnet.load_predictor(f"{folder}/model.keras")
except UsageError as error:
    answers["model.keras"] = str(error)
print(json.dumps(answers))
"""

COMMAND = """
import sys
from keras_resnet.commands import doors
try:
    doors.main(["keras-resnet", "predict", *sys.argv[1:]])
except SystemExit as end:
    assert not end.code
print({"tensorflow", "keras", "PIL"} & sys.modules.keys())
"""


def _run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def folder(model, pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    card = card_of(model)
    export_tflite(model, folder / "model.tflite", card=card)
    export_onnx(model, folder / "model.onnx", card=card)
    model.save(folder / "model.keras")
    card.save(folder)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder


def test_files_answer_without_tensorflow(folder, model, pixels):
    found = json.loads(_run(PROGRAM, folder))
    # A .keras file needs TensorFlow, which was not there.
    why = found.pop("model.keras")
    assert "cannot be read as a network (keras)" in why
    card = card_of(model)
    view = transforms.evaluation(pixels, View.of(card))
    (expected,) = answers(model, view.numpy()[np.newaxis])
    for name, atol in (("model.tflite", 0.05), ("model.onnx", 1e-4)):
        actual = [found[name][c] for c in card.class_names]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
def test_the_command_imports_neither_tensorflow_nor_keras(folder, name):
    said = _run(COMMAND, folder / name, folder / "a.png")
    assert said.splitlines()[-1] == "{'PIL'}"
