"""A .tflite and an .onnx file are opened where TensorFlow is not there."""

import subprocess
import sys

import numpy as np
from exported_networks import card_of
from exported_networks import network

from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite

PROGRAM = """
import sys
sys.modules["tensorflow"] = None
import numpy as np
from keras_resnet.errors import UsageError
from keras_resnet.inference import runtime
folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
for name in ("model.tflite", "model.onnx"):
    probabilities = runtime.load_predictor(f"{folder}/{name}").predict(images)
    np.save(f"{folder}/{name}.npy", probabilities)
try:
    runtime.load_predictor(f"{folder}/model.keras")
except UsageError as error:
    print(error)
"""


def test_files_are_opened_without_tensorflow(tmp_path):
    model = network()
    card = card_of(model)
    export_tflite(model, tmp_path / "model.tflite", card=card)
    export_onnx(model, tmp_path / "model.onnx", card=card)
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3))
    np.save(tmp_path / "images.npy", images.astype(np.float32))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # A .keras file needs it: it was not there.
    assert "cannot be read as a network (keras)" in done.stdout
    assert "tensorflow" in done.stdout
    expected = model.predict_on_batch(images)
    for name, atol in (("model.tflite", 0.05), ("model.onnx", 1e-5)):
        actual = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)
