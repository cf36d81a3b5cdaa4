"""An export that is killed is finished or cleaned up by the next."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from exported_networks import content
from exported_networks import export

from keras_resnet.errors import UsageError
from keras_resnet.export import placing
from keras_resnet.export.verification import verify
from keras_resnet.export.writers import manifest
from keras_resnet.inference import artifact
from keras_resnet.labels.cards import load_card


def test_every_death_in_a_move_is_mended_by_the_next(copied, tmp_path):
    """A move is cut off after each of its system calls."""
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
            assert "model.onnx" in content(directory)
            assert finished in (None, content(directory))
            finished = content(directory)
        else:
            assert finished == content(directory)
            break
    assert calls > 20
    assert "model_float32.tflite" not in finished
    assert "0!" in (directory / "labels.txt").read_text()


class _Killed(BaseException):
    pass


def _dies_in_the_move(directory, calls):
    """Whether a move makes more than `calls` calls; if so, it dies there."""
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
    manifest.write_manifest(staging, rows, load_card(directory))


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
    before = content(copied)
    process = _start_and_wait(copied)
    try:
        with pytest.raises(UsageError, match="Another process writes to"):
            export(model, copied)
        with pytest.raises(UsageError, match="Another process writes to"):
            placing.find_existing(copied)
        assert len(list(copied.glob(".export-*/labels.txt"))) == 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(copied.glob(".export-*"))) == 1
    placing.check(copied, [])
    assert content(copied) == before
    assert not list(copied.glob(".export-*"))


def test_a_staging_folder_of_an_earlier_version_is_cleaned_up(copied):
    left = copied / ".export-ab12_xyz"
    shutil.copytree(copied, left, ignore=shutil.ignore_patterns(".export-*"))
    (left / ".model.onnx.4711").write_text("half")
    placing.check(copied, [])
    assert not left.exists()
    verify.check_files(copied)
