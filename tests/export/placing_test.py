"""An export takes its place, and nothing that is not an export's is touched."""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import exported_networks
import pytest
import tensorflow as tf
from exported_networks import card_of
from exported_networks import network

from keras_resnet import files as files_lib
from keras_resnet.errors import UsageError
from keras_resnet.export import placing
from keras_resnet.export.verification import verify
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import targets
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import artifact

FORMATS = ("tflite_float32", "onnx", "saved_model")


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exported")
    _export(model, directory, FORMATS)
    return directory


@pytest.fixture
def copied(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copied")


_export = exported_networks.export


def _content(directory):
    """{relative name: bytes, or where a link leads} of all that is there."""
    return {
        entry.relative_to(directory).as_posix(): (
            os.readlink(entry) if entry.is_symlink() else entry.read_bytes()
        )
        for entry in files_lib.entries(directory)
    }


# What is not an export's.

MINE = {
    "samples/holiday.jpg": "samples/holiday.jpg (no manifest names it)",
    "labels.txt": "labels.txt (no manifest names it)",
    "card.json": "card.json (no manifest names it)",
    "samples": "samples (no manifest names it)",
    "model_float32.tflite": "model_float32.tflite (no manifest names it)",
    "model_float32.tflite/notes.txt": "model_float32.tflite (a directory)",
    "model.keras": "model.keras (a network)",
    "other.onnx": "other.onnx (a network)",
    "other.tflite": "other.tflite (a network)",
    "1/saved_model.pb": "1 (a network)",
    "manifest.json": "manifest.json' is damaged, or not the manifest of an",
}


@pytest.mark.parametrize("name", MINE)
def test_what_no_manifest_names_is_refused_by_name(model, tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"name": "my app", "icons": []}')
    before = _content(tmp_path)
    with pytest.raises(UsageError) as raised:
        _export(model, tmp_path)
    assert MINE[name] in str(raised.value)
    assert _content(tmp_path) == before


def test_what_is_not_in_the_way_stays(model, tmp_path):
    mine = {"README.md": b"mine", "web/index.html": b"mine", ".git/x": b"mine"}
    mine |= {".export-of-mine/a": b"mine", ".export-12345678/a": b"mine"}
    for name, content in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        _export(model, tmp_path)
        found = _content(tmp_path)
        assert {name: found[name] for name in mine} == mine
    assert (tmp_path / "empty").is_dir()


def test_an_asset_manifest_of_another_program_is_no_licence(model, tmp_path):
    """Some list "files" too, and name those of the user."""
    (tmp_path / "labels.txt").write_text("mine")
    files = {"labels.txt": artifact.sha256(tmp_path / "labels.txt")}
    fields = {"files": files, "artifacts": [], "versions": {"react": "1"}}
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    before = _content(tmp_path)
    with pytest.raises(UsageError, match="another program wrote it"):
        _export(model, tmp_path)
    assert _content(tmp_path) == before
    # The same of this program is one.
    fields["versions"] = {"keras_resnet": "1"}
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    _export(model, tmp_path)
    assert (tmp_path / "labels.txt").read_text() != "mine"


@pytest.mark.parametrize("name", ["../mine.txt", "/tmp/mine.txt", "a/../../b"])
def test_a_manifest_names_nothing_outside(exported, tmp_path, name):
    fields = json.loads((exported / "manifest.json").read_text())
    fields["files"][name] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(UsageError, match="which is not inside"):
        placing.check(tmp_path, [])


def _write(name):
    def change(directory):
        (directory / name).write_text("mine\n")

    return change


def _link(name):
    def change(directory):
        (directory / name).rename(directory / "away")
        (directory / name).symlink_to("away")

    return change


CHANGES = {
    "labels.txt (changed since it was exported)": _write("labels.txt"),
    "samples/mine.jpg (no manifest names it)": _write("samples/mine.jpg"),
    "saved_model/variables/x (no manif": _write("saved_model/variables/x"),
    "model.onnx (a link)": _link("model.onnx"),
    "samples (a link)": _link("samples"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_was_changed_since_is_refused(model, copied, message):
    CHANGES[message](copied)
    before = _content(copied)
    with pytest.raises(UsageError, match=re.escape(message)):
        _export(model, copied)
    assert _content(copied) == before


def test_an_export_is_replaced_as_a_whole(model, copied):
    common = {"labels.txt", "card.json", "manifest.json", "samples"}
    networks = {"model_float32.tflite", "model.onnx", "saved_model"}
    found = {path.name for path in placing.find_existing(copied)}
    assert found == common | networks
    (copied / "mine.txt").write_text("mine")
    _export(model, copied, ["onnx"], 4)
    found = {path.name for path in copied.iterdir()}
    assert found == {*common, "model.onnx", "mine.txt"}
    assert len(list(copied.glob("samples/*"))) == 4
    verify.check_files(copied)


def _without_samples(fields):
    fields["files"] = {
        name: digest
        for name, digest in fields["files"].items()
        if not name.startswith("samples/")
    }


# Of manifests that earlier versions wrote.
EARLIER = {"no samples": _without_samples, "no files": lambda f: f.pop("files")}


@pytest.mark.parametrize("version", EARLIER)
def test_an_earlier_version_s_export_is_one(model, copied, version):
    path = copied / "manifest.json"
    fields = json.loads(path.read_text())
    EARLIER[version](fields)
    path.write_text(json.dumps(fields))
    verify.check_files(copied)
    # What its manifest does not name is still nobody's.
    (copied / "samples" / "mine.png").write_text("mine")
    with pytest.raises(UsageError, match=r"samples/mine.png \(no manifest"):
        _export(model, copied)
    (copied / "samples" / "mine.png").unlink()
    with (copied / "model.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(UsageError, match=r"model.onnx \(changed since"):
        _export(model, copied)
    with pytest.raises(verify.VerificationError, match="model.onnx: its sha"):
        verify.check_files(copied)
    (copied / "model.onnx").unlink()
    _export(model, copied)
    verify.check_files(copied)
    assert not (copied / "saved_model").exists()


# Killed, and two at once.


def test_every_death_in_a_move_is_mended_by_the_next(copied, tmp_path):
    """The system calls of a move, cut off after each of them."""
    finished = None
    for calls in range(1000):
        directory = tmp_path / str(calls)
        shutil.copytree(copied, directory)
        (directory / "mine.txt").write_text("mine")
        if _dies_in_the_move(directory, calls):
            placing.check(directory, [])
            verify.check_files(directory)
            assert not list(directory.glob(".export-*"))
            assert (directory / "mine.txt").read_text() == "mine"
            assert "model.onnx" in _content(directory)
            assert finished in (None, _content(directory))
            finished = _content(directory)
        else:
            assert finished == _content(directory)
            break
    assert calls > 20
    assert "model_float32.tflite" not in finished
    assert "0!" in (directory / "labels.txt").read_text()


class _Killed(BaseException):
    pass


def _dies_in_the_move(directory, calls):
    """Whether a move has more than so many calls; then it dies there."""
    left = [calls]

    def counting(call):
        def counted(*arguments, **choices):
            if not left[0]:
                raise _Killed
            left[0] -= 1
            return call(*arguments, **choices)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        real = placing._move

        def move(*arguments):
            patch.setattr(os, "replace", counting(os.replace))
            patch.setattr(os, "rmdir", counting(os.rmdir))
            patch.setattr(os, "unlink", counting(os.unlink))
            real(*arguments)

        patch.setattr(placing, "_move", move)
        try:
            with placing.staged(directory, ["model.onnx"]) as staging:
                _fill(staging, directory)
        except _Killed:
            return True
    return False


def _fill(staging, directory):
    """Another export: one network, other labels."""
    for name in ("card.json", "model.onnx"):
        shutil.copy(directory / name, staging)
    (staging / "labels.txt").write_text("".join(f"{i}!\n" for i in range(10)))
    shutil.copytree(directory / "samples", staging / "samples")
    (staging / "samples" / "00_label-0.png").unlink(missing_ok=True)
    rows = artifact.read_manifest(directory)
    rows = [row for row in rows if row.path == "model.onnx"]
    manifest.write_manifest(staging, rows, card_of(network()))


_KILLED = """
import pathlib, sys, time
from keras_resnet.export import placing
with placing.staged(sys.argv[1], []) as staging:
    (staging / "labels.txt").write_text("half")
    print("staged", flush=True)
    time.sleep(100)
"""


def _start_and_wait(directory):
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, directory], stdout=subprocess.PIPE
    )
    assert b"staged\n" in iter(process.stdout.readline, b"")
    return process


def test_a_killed_export_is_cleaned_up_a_running_one_is_not(model, copied):
    before = _content(copied)
    process = _start_and_wait(copied)
    try:
        with pytest.raises(UsageError, match="Another process writes to"):
            _export(model, copied)
        with pytest.raises(UsageError, match="Another process writes to"):
            placing.find_existing(copied)
        assert len(list(copied.glob(".export-*/labels.txt"))) == 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(copied.glob(".export-*"))) == 1
    placing.check(copied, [])
    assert _content(copied) == before
    assert not list(copied.glob(".export-*"))


def test_a_staging_folder_of_an_earlier_version_is_cleaned_up(copied):
    left = copied / ".export-ab12_xyz"
    shutil.copytree(copied, left, ignore=shutil.ignore_patterns(".export-*"))
    (left / ".model.onnx.4711").write_text("half")
    placing.check(copied, [])
    assert not left.exists()
    verify.check_files(copied)


# The functions that write one file or directory.


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
    before = _content(tmp_path)
    # A server's folder gets a hint.
    served = make is _user_s_folder and write is export_saved_model
    hint = ".*a folder of its own, as PATH/1" if served else ""
    message = f"resnet' is not a.*Pass another path{hint}"
    with pytest.raises(UsageError, match=message):
        write(model, path, card=card_of(model))
    assert _content(tmp_path) == before


def test_nothing_is_in_nobody_s_way(model, tmp_path):
    (tmp_path / "m.tflite").touch()
    (tmp_path / "saved_model").mkdir()
    for _ in range(2):
        export_tflite(model, tmp_path / "m.tflite", card=card_of(model))
        path = tmp_path / "saved_model"
        export_saved_model(model, path, card=card_of(model))
    assert targets.recognise(tmp_path / "m.tflite") == "tflite"
    assert targets.recognise(tmp_path / "saved_model") == "saved_model"


def test_a_killed_writer_is_cleaned_up_a_running_one_is_not(model, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f".unfinished-saved_model-{ended.pid}/variables"]
    names += [f".unfinished-saved_model-{os.getppid()}", ".unfinished-mine"]
    names += [".saved_model.1", f".unfinished-model.onnx-{ended.pid}"]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    path = tmp_path / "saved_model"
    export_saved_model(model, path, card=card_of(model))
    found = {entry.name for entry in tmp_path.iterdir()}
    assert found == {"saved_model", *names[1:]}


# A full disk.


@contextlib.contextmanager
def _short_files():
    """No file may be longer than 64 KB, as on a disk with no more room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_one_line_and_changes_nothing(model, copied):
    before = _content(copied)
    for formats in (["saved_model"], ["tflite_float32"], ["onnx"]):
        with _short_files(), pytest.raises(UsageError) as raised:
            _export(model, copied, formats)
        message = str(raised.value)
        assert "copied': File too large" in message
        assert "Make room, or pass another directory" in message
        assert len(message.splitlines()) == 1
        assert _content(copied) == before
    with _short_files(), pytest.raises(OSError, match="too large"):
        export_onnx(model, copied / "model.onnx", card=card_of(model))
    assert _content(copied) == before
