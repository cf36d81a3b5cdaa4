"""A network in every format, and a folder of images for jobs."""

import batch_jobs
import pytest
from batch_jobs import FORMATS
from batch_jobs import NAMES
from exported_networks import card_of
from exported_networks import network

from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import batch


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A directory of one network in all formats."""
    directory = tmp_path_factory.mktemp("models")
    model = network()
    card = card_of(model)
    card.save(directory)
    model.save(directory / FORMATS["keras"])
    export_saved_model(model, directory / FORMATS["saved_model"], card=card)
    export_tflite(model, directory / FORMATS["tflite"], card=card)
    export_onnx(model, directory / FORMATS["onnx"], card=card)
    return directory


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """`NAMES`, and what is no image of the folder."""
    root = tmp_path_factory.mktemp("input") / "photos"
    for number, name in enumerate(NAMES):
        batch_jobs.write(root, name, batch_jobs.image_file(number, name))
    for name in (b"notes.txt", b".hidden.png", b".cache/x.png", b"a/none/x"):
        batch_jobs.write(root, name, b"no image")
    (root / "z" / "around").symlink_to("..")
    return root


@pytest.fixture(scope="session")
def complete(models, folder, tmp_path_factory):
    """`job` after an undisturbed run; no test changes its table."""
    job = batch_jobs.make(models, folder, tmp_path_factory.mktemp("whole"))
    batch.run(job)
    return job


@pytest.fixture
def job(models, folder, tmp_path):
    return batch_jobs.make(models, folder, tmp_path)
