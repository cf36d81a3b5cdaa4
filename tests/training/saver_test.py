"""A disk that is full or read-only: old checkpoints stay, the run goes on."""

import contextlib
import dataclasses
import shutil
import subprocess

import pytest
import tensorflow as tf
from absl import logging

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.training import run
from keras_resnet.training.checkpoints import folder
from keras_resnet.training.checkpoints import saver as saver_lib
from keras_resnet.training.engines import engine as engine_lib
from keras_resnet.training.engines import tensorflow_variables
from keras_resnet.training.hooks import Hook

RECIPE = recipes.RECIPES["digits"]
MEGABYTE = 2**20


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB, where a process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk):
    """Leaves less room than a checkpoint needs."""
    free = shutil.disk_usage(disk).free - MEGABYTE // 4
    (disk / "ballast").write_bytes(bytes(free))


def _read_only(disk, mode="ro"):
    command = ["mount", "-o", f"remount,{mode}", str(disk)]
    subprocess.run(command, check=True)


def _saver(workdir, recipe=RECIPE, size=MEGABYTE, split=None):
    engine = engine_lib.make()
    engine.variables = tensorflow_variables.Variables(
        w=tf.Variable(tf.zeros((size // 4,)))
    )
    splits = {"train": split or datasets.load("digits", "train")}
    return saver_lib.Saver(workdir, engine, recipe, splits)


@pytest.fixture
def errors_logged(monkeypatch):
    found = []
    monkeypatch.setattr(
        logging, "error", lambda text, *words: found.append(text % words)
    )
    return found


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk_is_an_error_and_the_third_in_a_row_the_end(
    small_disk, errors_logged, monkeypatch, foreseen
):
    if not foreseen:  # as if another process filled the disk during a save
        monkeypatch.setattr(folder, "_SPARE", 0)
    saver = _saver(small_disk)
    saver.save(5, {})
    _fill(small_disk)
    for step in (10, 15):
        saver.save(step, {})
    assert len(errors_logged) == 2
    assert "step 10 could not be written" in errors_logged[0]
    reason = "MB are free" if foreseen else "No space left"
    assert (
        reason in errors_logged[0] or "RESOURCE_EXHAUSTED" in (errors_logged[0])
    )
    assert "step-00000005. Training goes on; failure 2 of 3" in errors_logged[1]
    names = [path.name for path in (small_disk / "checkpoints").iterdir()]
    assert names == ["step-00000005"]
    (small_disk / "ballast").unlink()
    saver.save(20, {})  # ends the row of failures
    _fill(small_disk)
    for step in (25, 30):
        saver.save(step, {})
    with pytest.raises(
        errors.UsageError, match="step 35 .*step-00000020. Make room"
    ):
        saver.save(35, {})
    assert saver.restore()[0]["step"] == 20


def test_the_last_save_of_a_run_must_not_fail(small_disk):
    saver = _saver(small_disk)
    saver.check()
    _fill(small_disk)
    with pytest.raises(errors.UsageError, match="no checkpoint yet. Make room"):
        saver.save(5, {}, last=True)


def test_a_disk_without_room_is_refused_at_the_start(small_disk):
    with pytest.raises(errors.UsageError, match="needs 12.6 MB, and 8.4 MB"):
        _saver(small_disk, size=10 * MEGABYTE).check()


def test_a_read_only_disk_keeps_what_it_has(small_disk, errors_logged):
    saver = _saver(small_disk)
    saver.save(5, {})
    _read_only(small_disk)
    saver.save(10, {})
    assert "Read-only file system" in errors_logged[0]
    with pytest.raises(errors.UsageError, match="Read-only .* another --work"):
        saver.check()
    assert saver.restore()[0]["step"] == 5
    with pytest.raises(errors.UsageError, match="Cannot write into"):
        run.train_and_evaluate(RECIPE, small_disk / "run")


@pytest.mark.parametrize(
    "of_recipe, of_data, message",
    [
        ({"momentum": 0.5}, {}, "momentum: 0.9 there, 0.5 now"),
        ({}, {"num_examples": 1439}, "1438 examples then, 1439 now"),
        ({}, {"class_names": tuple("9876543210")}, "or other classes"),
    ],
)
def test_a_recipe_or_data_that_have_changed_are_refused(
    tmp_path, of_recipe, of_data, message
):
    _saver(tmp_path).save(5, {})
    recipe = dataclasses.replace(RECIPE, **of_recipe)
    split = dataclasses.replace(datasets.load("digits", "train"), **of_data)
    with pytest.raises(errors.UsageError, match=message):
        _saver(tmp_path, recipe, split=split).restore()


def test_other_conditions_are_a_warning(tmp_path, monkeypatch):
    _saver(tmp_path).save(5, {})
    found = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *words: found.append(text % words)
    )
    assert _saver(tmp_path).restore()[0]["step"] == 5
    assert not found
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    _saver(tmp_path).restore()
    assert "OMP_NUM_THREADS: '' then, '7' now" in found[0]
    assert "not be the same bit for bit" in found[0]


@pytest.mark.usefixtures("no_curves")
def test_a_run_outlives_a_disk_that_is_full_for_a_while(
    small_disk, errors_logged
):
    """Nothing is lost: neither steps nor lines of metrics.jsonl."""
    recipe = dataclasses.replace(
        RECIPE,
        depths=(1,),
        filters=(84,),  # its checkpoint does not fit after _fill
        batch_size=16,
        image_size=8,
        eval_resize=8,
        steps=6,
        log_every_steps=1,
        eval_every_steps=1,
        checkpoint_every_steps=2,
        keep_checkpoints=1,
    )

    def fill():
        # Takes the room for a checkpoint first, then the last byte.
        _fill(small_disk)
        with open(small_disk / "rest", "wb") as rest:
            with contextlib.suppress(OSError):
                rest.write(bytes(MEGABYTE))

    class Filled(Hook):
        def after_step(self, state):
            if state.step == 3:
                fill()
            if state.step == 5:
                (small_disk / "ballast").unlink()
                (small_disk / "rest").unlink()

    run.train_and_evaluate(recipe, small_disk / "run", hooks=[Filled()])
    said = " ".join(errors_logged)
    assert "step 4 could not be written" in said
    assert "Cannot write metrics.jsonl" in said
    lines = (small_disk / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 6
    names = [p.name for p in (small_disk / "run" / "checkpoints").iterdir()]
    assert names == ["step-00000006"]


def test_a_file_where_checkpoints_belong_is_refused(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(errors.UsageError, match="Checkpoints cannot be writ"):
        _saver(tmp_path).check()
