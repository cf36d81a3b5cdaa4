"""A small network and its export, shared by the tests."""

import shutil

import pytest
from exported_networks import export
from exported_networks import network


@pytest.fixture(scope="session")
def model():
    return network()


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """The directory of an export of three formats."""
    directory = tmp_path_factory.mktemp("exported")
    export(model, directory, ("tflite_float32", "onnx", "saved_model"))
    return directory


@pytest.fixture
def copied(exported, tmp_path):
    """A copy of it that a test may damage."""
    return shutil.copytree(exported, tmp_path / "copied")
