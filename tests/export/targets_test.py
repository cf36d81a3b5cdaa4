"""A function that writes a file or directory replaces only its own kind."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from exported_networks import card_of
from exported_networks import content

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import targets
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite


def _user_s_folder(path):
    (path / "1").mkdir(parents=True)
    (path / "1" / "saved_model.pb").write_text("mine")
    (path / "2").mkdir()
    (path / "2" / "notes.txt").write_text("mine")


def _user_s_file(path):
    path.write_text("mine, and of some length")


def _almost_a_saved_model(path):
    tf.saved_model.save(tf.Module(), str(path))
    (path / "notes.txt").write_text("mine")


def _link_to_a_folder(path):
    _user_s_folder(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "write", [export_tflite, export_onnx, export_saved_model]
)
@pytest.mark.parametrize(
    "make",
    [_user_s_folder, _user_s_file, _almost_a_saved_model, _link_to_a_folder],
)
def test_a_writer_replaces_its_own_kind_alone(model, tmp_path, write, make):
    path = tmp_path / "resnet"
    make(path)
    before = content(tmp_path)
    # A server's folder gets a hint.
    served = make is _user_s_folder and write is export_saved_model
    hint = ".*a folder of its own, as PATH/1" if served else ""
    message = f"resnet' is not a.*Pass another path{hint}"
    with pytest.raises(UsageError, match=message):
        write(model, path, card=card_of(model))
    assert content(tmp_path) == before


def test_nothing_is_in_nobody_s_way(model, tmp_path):
    (tmp_path / "m.onnx").touch()
    (tmp_path / "saved_model").mkdir()
    shared = serving.Network(model, card_of(model))
    for _ in range(2):
        export_onnx(shared, tmp_path / "m.onnx", card=shared.card)
        path = tmp_path / "saved_model"
        export_saved_model(shared, path, card=shared.card)
    assert targets.recognise(tmp_path / "m.onnx") == "onnx"
    assert targets.recognise(tmp_path / "saved_model") == "saved_model"


def test_a_killed_writer_is_cleaned_up_a_running_one_is_not(model, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f".unfinished-model.onnx-{ended.pid}/variables"]
    names += [f".unfinished-model.onnx-{os.getppid()}", ".unfinished-mine"]
    names += [".model.onnx.1", f".unfinished-saved_model-{ended.pid}"]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    export_onnx(model, tmp_path / "model.onnx", card=card_of(model))
    found = {entry.name for entry in tmp_path.iterdir()}
    assert found == {"model.onnx", *names[1:]}
