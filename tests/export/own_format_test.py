"""A format from outside is exported, verified and opened as ours are."""

import shutil
import sys

import numpy as np
import programs
import pytest
from exported_networks import card_of
from exported_networks import digits
from exported_networks import export
from exported_networks import sign_again
from exported_networks import views

from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification import verify
from keras_resnet.export.verification.verify import VerificationError
from keras_resnet.inference import artifact
from keras_resnet.inference import extensions
from keras_resnet.inference import kinds
from keras_resnet.inference import runtime


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """The format, verified in a process of its own, beside one of ours."""
    directory = tmp_path_factory.mktemp("exported")
    extensions.load(["own_format"])

    def predict(path, *arguments, **choices):
        own = path.suffix == ".npz"
        verified = isolated.predict_isolated if own else isolated.predict
        return verified(path, *arguments, **choices)

    formats_of = ["npz", "onnx"]
    yield directory, export(model, directory, formats_of, 16, predict=predict)
    del formats.FORMATS["npz"], kinds.KINDS["npz"], sys.modules["own_format"]
    extensions._loaded.remove("own_format")


def test_it_is_exported_and_verified_in_a_process_of_its_own(exported):
    directory, artifacts = exported
    own, onnx = artifacts
    assert (own.path, own.format) == ("model.npz", "npz")
    assert own.operators["ResidualUnit"] == 3
    assert own.max_abs_diff < 1e-5 and own.num_images == onnx.num_images == 16
    assert artifact.read_manifest(directory) == artifacts


def test_the_process_imports_what_registers_it(model, exported, monkeypatch):
    directory, _ = exported
    monkeypatch.setattr(extensions, "_loaded", [])
    inputs = isolated.Inputs(views(card_of(model), 3), digits(3)[0])
    with pytest.raises(UsageError, match="zip file without config.json"):
        isolated.predict_isolated(directory / "model.npz", inputs)


def test_a_changed_weight_in_it_is_caught(model, exported, tmp_path):
    copied = shutil.copytree(exported[0], tmp_path / "copied")
    with np.load(copied / "model.npz") as stored:
        arrays = dict(stored)
    arrays["weight2"] = arrays["weight2"] * 1.5
    np.savez(copied / "model.npz", **arrays)
    sign_again(copied)
    images, _ = digits()
    with pytest.raises(VerificationError, match="model.npz .*differs") as error:
        verify.verify(copied, model, images, predict=isolated.predict)
    assert "model.onnx" not in str(error.value)


def test_its_file_is_told_from_ours_and_has_a_name_of_its_own(exported):
    directory, _ = exported
    assert kinds.find(directory / "model.npz").name == "npz"
    assert kinds.find(directory / "model.onnx").name == "onnx"
    taken = formats.Format(
        name="mine", file="model.onnx", kind=kinds.KINDS["npz"], write=None
    )
    with pytest.raises(UsageError, match="'mine' needs a file name.*'onnx'"):
        formats.register(taken)


def test_a_command_knows_it_by_import(exported):
    directory, _ = exported
    sample = next((directory / "samples").iterdir())
    words = (f"--model={directory / 'model.npz'}", str(sample))
    done = programs.start(
        "predict", "--import=own_format", *words, cwd=programs.SUPPORT
    )
    assert "1 images with npz" in done.stdout, done.stderr
    assert runtime.load_predictor(directory / "model.npz").format == "npz"


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="--import=no_such_module: there is"):
        extensions.load(["no_such_module"])
