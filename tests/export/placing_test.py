"""An export replaces an earlier export and touches nothing else."""

import contextlib
import json
import re
import resource
import shutil

import pytest
from exported_networks import card_of
from exported_networks import content
from exported_networks import export

from keras_resnet.errors import UsageError
from keras_resnet.export import exporting
from keras_resnet.export import placing
from keras_resnet.export.verification import verify
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.inference import artifact
from keras_resnet.labels.cards import load_card


def _place(exported, directory):
    """Puts one network of an export in place, as a new export would."""
    with placing.staged(directory, ["model.onnx"]) as staging:
        for name in ("card.json", "labels.txt", "model.onnx"):
            shutil.copy(exported / name, staging)
        shutil.copytree(exported / "samples", staging / "samples")
        rows = artifact.read_manifest(exported)
        rows = [row for row in rows if row.path == "model.onnx"]
        manifest.write_manifest(staging, rows, load_card(exported))


# Files that are not an export's.

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
    before = content(tmp_path)
    with pytest.raises(UsageError) as raised:
        export(model, tmp_path)
    assert MINE[name] in str(raised.value)
    assert content(tmp_path) == before


def test_what_is_not_in_the_way_stays(exported, tmp_path):
    mine = {"README.md": b"mine", "web/index.html": b"mine", ".git/x": b"mine"}
    mine |= {".export-of-mine/a": b"mine", ".export-12345678/a": b"mine"}
    for name, data in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        _place(exported, tmp_path)
        found = content(tmp_path)
        assert {name: found[name] for name in mine} == mine
    assert (tmp_path / "empty").is_dir()


def test_another_program_s_manifest_is_no_licence(exported, tmp_path):
    """Other manifests may list "files" too, and name the user's files."""
    (tmp_path / "labels.txt").write_text("mine")
    files = {"labels.txt": artifact.sha256(tmp_path / "labels.txt")}
    fields = {"files": files, "artifacts": [], "versions": {"react": "1"}}
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    before = content(tmp_path)
    with pytest.raises(UsageError, match="another program wrote it"):
        _place(exported, tmp_path)
    assert content(tmp_path) == before
    # The same manifest of this program is a licence.
    fields["versions"] = {"keras_resnet": "1"}
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    _place(exported, tmp_path)
    assert (tmp_path / "labels.txt").read_text() != "mine"


@pytest.mark.parametrize("name", ["../mine.txt", "/tmp/mine.txt", "a/../../b"])
def test_a_manifest_names_nothing_outside(exported, tmp_path, name):
    fields = json.loads((exported / "manifest.json").read_text())
    fields["files"][name] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(UsageError, match="which is not inside"):
        placing.check(tmp_path, [])


@pytest.mark.parametrize("journal", ['{"../mine.txt": null}', "[]", "{", "5"])
def test_a_journal_of_a_stranger_deletes_nothing(tmp_path, journal):
    folder = tmp_path / "out" / ".export-a0000000"
    folder.mkdir(parents=True)
    (tmp_path / "mine.txt").write_text("mine")
    (folder / "replaces.json").write_text(journal)
    with pytest.raises(UsageError, match="none that an export has left"):
        placing.check(tmp_path / "out", [])
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("path", ["/etc/ssl", "../../etc/ssl", ""])
def test_an_artifact_lies_nowhere_else(exported, tmp_path, path):
    fields = json.loads((exported / "manifest.json").read_text())
    for files in (fields["files"], None):
        fields["artifacts"][0]["path"] = path
        fields["files"] = files
        (tmp_path / "manifest.json").write_text(json.dumps(fields))
        with pytest.raises(UsageError, match="inside"):
            verify.check_files(tmp_path)


def test_a_link_to_another_folder_is_not_walked_through(exported, tmp_path):
    """It would read all files of the machine."""
    shutil.copy(exported / "manifest.json", tmp_path)
    (tmp_path / "saved_model").symlink_to("/")
    with pytest.raises(UsageError, match="saved_model: it is a link to an"):
        verify.check_files(tmp_path)


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
    before = content(copied)
    with pytest.raises(UsageError, match=re.escape(message)):
        export(model, copied)
    assert content(copied) == before


def test_an_export_is_replaced_as_a_whole(model, copied):
    common = {"labels.txt", "card.json", "manifest.json", "samples"}
    networks = {"model_float32.tflite", "model.onnx", "saved_model"}
    found = {path.name for path in placing.find_existing(copied)}
    assert found == common | networks
    (copied / "mine.txt").write_text("mine")
    export(model, copied, ["onnx"], 4)
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


# Manifests as earlier versions wrote them.
EARLIER = {"no samples": _without_samples, "no files": lambda f: f.pop("files")}


@pytest.mark.parametrize("version", EARLIER)
def test_an_earlier_version_s_export_is_one(exported, copied, version):
    path = copied / "manifest.json"
    fields = json.loads(path.read_text())
    EARLIER[version](fields)
    path.write_text(json.dumps(fields))
    verify.check_files(copied)
    # A file that its manifest does not name is still refused.
    (copied / "samples" / "mine.png").write_text("mine")
    with pytest.raises(UsageError, match=r"samples/mine.png \(no manifest"):
        _place(exported, copied)
    (copied / "samples" / "mine.png").unlink()
    with (copied / "model.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(UsageError, match=r"model.onnx \(changed since"):
        _place(exported, copied)
    with pytest.raises(verify.VerificationError, match="model.onnx: its sha"):
        verify.check_files(copied)
    (copied / "model.onnx").unlink()
    _place(exported, copied)
    verify.check_files(copied)
    assert not (copied / "saved_model").exists()


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
    before = content(copied)
    for formats in (["saved_model"], ["tflite_float32"], ["onnx"]):
        with _short_files(), pytest.raises(UsageError) as raised:
            export(model, copied, formats)
        message = str(raised.value)
        assert "copied': File too large" in message
        assert "Make room, or pass another directory" in message
        assert len(message.splitlines()) == 1
        assert content(copied) == before
    with _short_files(), pytest.raises(OSError, match="too large"):
        export_onnx(model, copied / "model.onnx", card=card_of(model))
    assert content(copied) == before


def test_what_is_refused_leaves_no_folder_but_those_that_were_there(
    model, tmp_path
):
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(UsageError, match="no folder 'nowhere'"):
        exporting.export(
            model,
            there / "a" / "b",
            formats=["onnx"],
            images="folder:nowhere",
            class_names=[str(n) for n in range(10)],
        )
    assert there.is_dir()
    assert not list(there.iterdir())


def test_a_name_that_no_disk_takes_is_refused(model, tmp_path):
    with pytest.raises(UsageError, match="Cannot write to .*xxx.*too long"):
        exporting.export(model, tmp_path / ("x" * 300), formats=["onnx"])
