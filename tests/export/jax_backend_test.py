"""JAX reads and verifies TensorFlow's exports; the rest needs TensorFlow."""

import numpy as np
import pytest
from backends import run_on
from exported_networks import export
from exported_networks import network
from made_networks import CARD
from made_networks import answers
from made_networks import images

_ON_JAX = """
import sys

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.evaluation import views
from keras_resnet.export.verification import isolated
from keras_resnet.export import pipeline
from keras_resnet.inference import runtime
from keras_resnet.export.verification import verify
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.export.writers.web import export_web
from keras_resnet.training import distribution

for call in (
    lambda: export_onnx(None, "x", card=None),
    lambda: export_saved_model(None, "x", card=None),
    lambda: export_tflite(None, "x", card=None),
    lambda: export_web(None, "x", card=None),
    lambda: pipeline.check(None, "x", card=None, formats=["onnx"]),
    lambda: views.evaluate([], None, None, views="center", batch_size=1),
    lambda: explain.grad_cam(None, None),
    lambda: distribution.make_strategy("one_device"),
):
    try:
        call()
    except UsageError as error:
        print(error)

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
predictor = runtime.load_predictor(f"{folder}/model.keras")
np.save(f"{folder}/answers.npy", predictor.predict(images))
reports = verify.verify(
    f"{folder}/exported",
    runtime.load_keras(f"{folder}/model.keras"),
    images.astype("uint8"),
    predict=isolated.predict,
)
print(reports[0].max_abs_diff)
"""


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """What JAX printed, its answers, and those of TensorFlow."""
    folder = tmp_path_factory.mktemp("jax")
    model = network(depths=(1,), filters=(16,))
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", images())
    export(model, folder / "exported", card=CARD)
    printed = run_on("jax", _ON_JAX, str(folder)).splitlines()
    return printed, np.load(folder / "answers.npy"), answers(model)


def test_what_needs_tensorflow_says_so(on_jax):
    *lines, _ = on_jax[0]
    assert len(lines) == 8
    for line in lines:
        assert "needs Keras on TensorFlow: set KERAS_BACKEND=tenso" in line
        assert line.endswith("Received: the backend 'jax'.")


def test_jax_predicts_and_verifies_what_tensorflow_exported(on_jax):
    printed, answers, expected = on_jax
    assert float(printed[-1]) < 1e-5
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-5)
