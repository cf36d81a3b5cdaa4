"""A small network's file, written once."""

import pathlib
import shutil

import pytest


@pytest.fixture(scope="session")
def _written(tmp_path_factory):
    import small_weights

    import keras_resnet

    path = tmp_path_factory.mktemp("written") / "small.safetensors"
    keras_resnet.save_weights(small_weights.refused_model(), path)
    return path


@pytest.fixture
def small_file(_written, tmp_path):
    """A safetensors file of `small_weights.small_model()`."""
    return pathlib.Path(shutil.copy(_written, tmp_path))
