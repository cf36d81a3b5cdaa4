"""A network in every format, and a folder of images for jobs."""

import functools

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
def artifact(tmp_path_factory):
    """A function that gives the path of one network in a format."""
    directory = tmp_path_factory.mktemp("models")
    model = network(depths=(1,), filters=(16,))
    card = card_of(model)
    card.save(directory)
    exports = {
        "saved_model": export_saved_model,
        "tflite": export_tflite,
        "onnx": export_onnx,
    }

    @functools.cache  # a converter takes seconds
    def write(format):
        path = directory / FORMATS[format]
        if format == "keras":
            model.save(path)
        else:
            exports[format](model, path, card=card)
        return str(path)

    return write


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of `NAMES` and of files that are not its images."""
    root = tmp_path_factory.mktemp("input") / "photos"
    for number, name in enumerate(NAMES):
        batch_jobs.write(root, name, batch_jobs.image_file(number, name))
    for name in (b"notes.txt", b".hidden.png", b".cache/x.png", b"a/none/x"):
        batch_jobs.write(root, name, b"no image")
    (root / "z" / "around").symlink_to("..")
    return root


@pytest.fixture(scope="session")
def complete(artifact, folder, tmp_path_factory):
    """`job` after an undisturbed run; no test changes its table."""
    output = tmp_path_factory.mktemp("whole")
    job = batch_jobs.make(artifact("tflite"), folder, output)
    batch.run(job)
    return job


@pytest.fixture
def job(artifact, folder, tmp_path):
    return batch_jobs.make(artifact("tflite"), folder, tmp_path)
