"""A job that is stopped, changed, damaged or large ends as one that was not."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import odd_images
import programs
import pytest
import zygote
from batch_jobs import NAMES
from batch_jobs import SIZES
from batch_jobs import files
from batch_jobs import refuses
from batch_jobs import times
from batch_jobs import write

from keras_resnet.data.stores import listing
from keras_resnet.errors import UsageError
from keras_resnet.inference import batch
from keras_resnet.inference import parts as parts_lib

FIRST = "part-00000.parquet"


@pytest.fixture(scope="module")
def whole(complete):
    """The files of the complete run, as `files` gives them."""
    return files(complete)


@pytest.fixture
def done(complete, job):
    """`job` with a copy of the complete table."""
    shutil.copytree(complete.output, job.output)
    return job


@pytest.fixture
def begun(done):
    """`done` as left by a process that died after its first part."""
    for name in files(done).keys() - {FIRST}:
        os.unlink(f"{done.output}/{name}")
    return done


@contextlib.contextmanager
def more(folder, name):
    """A folder has one more file for a while."""
    (folder / name).touch()
    try:
        yield
    finally:
        (folder / name).unlink()


_SIGKILL = """
import os, pathlib, runpy, signal, sys
sys.argv = sys.argv[1:]
sys.path[0] = str(pathlib.Path(sys.argv[0]).parent)
replace = os.replace
def dying(source, target):
    if str(target).endswith("part-00001.parquet"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = dying
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _flags(job):
    return [
        *(f"--{name}={getattr(job, name)}" for name in ("model", "input")),
        *(f"--{name}={value}" for name, value in SIZES.items()),
        *(f"--output={job.output}", "--probabilities"),
    ]


def test_the_command_goes_on_after_sigkill_as_the_same_job_alone(
    artifact, job, folder, whole, tmp_path
):
    (tmp_path / "dying.py").write_text(_SIGKILL)
    program = programs.PIPELINES / "predict.py"
    result = zygote.run(
        tmp_path / "dying.py", program, *_flags(job), cwd=tmp_path
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert files(job) == {FIRST: whole[FIRST]}
    # A table belongs to one model, one input and one setting.
    other = shutil.copytree(folder, tmp_path / "other", symlinks=True)
    changes = {
        "model": artifact("keras"),
        "input": str(other),
        "top": 3,
        "probabilities": False,
        "batch_size": 4,
        "rows_per_part": 32,
    }
    for name, value in changes.items():
        changed = dataclasses.replace(job, **{name: value})
        refuses(changed, f"made by something else: {name}=.* then, .* now")
    # A setting that changes no row may differ.
    assert batch.run(dataclasses.replace(job, threads=1)).earlier_rows == 16
    assert files(job) == whole


def test_images_that_come_or_go_in_between_are_noticed(begun, folder):
    with more(folder, "11.jpg"):
        refuses(begun, "The first 16 images of .* are not those that")
    with more(folder, "z/last.jpg"):
        assert batch.run(begun).rows == len(NAMES) + 1
        with more(folder, "z/last of all.jpg"):
            refuses(begun, "not those that")
        with more(folder, "z/later.jpg"):
            refuses(begun, "is complete, but .* has more images than its 40")
    refuses(begun, "The first 40 images of .* are not those that")


def test_a_complete_table_is_left_alone(done):
    before = times(done)
    summary = batch.run(done)
    assert summary.rows == summary.earlier_rows == len(NAMES)
    assert times(done) == before


def test_a_folder_that_cannot_be_listed_stops_the_run_by_name(
    job, whole, monkeypatch
):
    real = listing.subfolders

    def failing(folder):
        if folder.endswith(b"/z"):
            raise UsageError("Cannot list 'z': no permission.")
        return real(folder)

    monkeypatch.setattr(listing, "subfolders", failing)
    refuses(job, "^Cannot list 'z': no permission.$")
    assert files(job).items() < whole.items()


def test_damage_and_strangers_are_refused_and_force_replaces_a_table(done):
    job = done
    output = pathlib.Path(job.output)
    part = output / "part-00001.parquet"
    data = part.read_bytes()
    part.write_bytes(data[:-9])
    refuses(job, "part-00001.parquet' is damaged")
    part.unlink()
    refuses(job, "has no part-00001.parquet, but a later")
    shutil.copy(output / "part-00002.parquet", part)
    refuses(job, "ends at row 39 of its table, but there are 23 up to it")
    (output / "thesis.txt").write_text("mine")
    refuses(job, "no part of a table: thesis.txt", force=True)
    (output / "thesis.txt").unlink()
    # It replaces a table of three parts.
    other = dataclasses.replace(job, rows_per_part=100)
    summary = batch.run(other, force=True)
    assert (summary.parts, summary.rows) == (1, len(NAMES))
    with parts_lib.hold(output, {}, force=True):
        refuses(job, "Another process writes to")
    assert not files(job)


def test_what_cannot_work_is_said_before_any_work(job, tmp_path):
    def changed(**changes):
        return dataclasses.replace(job, **changes)

    empty = tmp_path / "empty"
    empty.mkdir()
    refuses(changed(input=str(empty)), "hold no image: no file that ends in")
    refuses(changed(input=str(tmp_path / "none")), "neither a folder nor a")
    refuses(changed(input=__file__), "not an uncompressed TFRecord file")
    refuses(changed(output="gs://bucket/x"), "a folder of this machine")
    refuses(changed(output=__file__), "is a file; the output is a folder")
    refuses(changed(model=str(tmp_path / "no.tflite")), "There is no model")
    assert not os.path.exists(job.output)


@pytest.mark.large
def test_the_command_takes_one_kind_of_input_and_counts_bad_images(
    job, tmp_path
):
    def command(*arguments):
        arguments = (*_flags(job), *arguments)
        return programs.start("predict", *arguments, cwd=tmp_path)

    result = command("photo.jpg")
    assert result.returncode == 2
    assert "--input and --output go together" in result.stderr
    job = dataclasses.replace(job, input=str(tmp_path / "two"))
    for name in (b"1.jpg", b"2.jpg"):
        write(job.input, name, b"")
    result = command("--on_bad_image=mask:1")
    assert result.returncode == 2
    assert "2.jpg: it is empty. That makes 2 where" in result.stderr
    result = command("--on_bad_image=mask:2")
    assert result.returncode == 0, result.stderr
    assert "1.jpg: it is empty." in result.stdout
    assert "2 rows in 1 parts, 2 of them with an error." in result.stdout
    assert "\n2 of the rows are new: " in result.stdout
    result = command("--on_bad_image=mask:2")
    assert result.stdout.endswith("\n0 of the rows are new.\n")


# Prints the resident size after every 1,000 rows, MB.
_RESIDENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from benchmarks import memory
from keras_resnet.inference import batch
add, rows, readings, kept = batch.Rows.add, 0, [], []
def measured(self, part, probabilities):
    global rows
    rows += len(part)
    if sys.argv[2] == "keep":
        kept.append(part.images)
    add(self, part, probabilities)
    if rows % 1000 < len(part):
        readings.append(memory.resident_megabytes())
batch.Rows.add = measured
summary = batch.run(batch.Job(**json.loads(sys.argv[3])))
print(json.dumps([summary.rows, summary.seconds, readings]))
"""


def _resident(job, what=""):
    arguments = [programs.PIPELINES, what, json.dumps(dataclasses.asdict(job))]
    result = subprocess.run(
        [sys.executable, "-c", _RESIDENT, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    rows, seconds, readings = json.loads(result.stdout.splitlines()[-1])
    print(f"{rows} rows in {seconds:.1f} s, MB: {np.round(readings)}")
    return readings


@pytest.mark.large
def test_ten_times_the_images_take_the_same_memory(job, tmp_path):
    photograph = odd_images.photograph(96, 64)
    for number in range(8):
        data = odd_images.encode(photograph.rotate(9 * number), "JPEG")
        write(tmp_path, b"%d.jpg" % number, data)
    job = dataclasses.replace(
        job, probabilities=False, batch_size=32, rows_per_part=500
    )

    def of(number, what=""):
        folder = tmp_path / f"{number}{what}"
        for image in range(number):
            link = folder / str(image % 10) / f"{image:06d}.jpg"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(tmp_path / f"{image % 8}.jpg")
        output = tmp_path / f"{number}{what}.parquet"
        changes = {"input": str(folder), "output": str(output)}
        return _resident(dataclasses.replace(job, **changes), what)

    few, many, hoarded = of(2000), of(20_000), of(20_000, "keep")
    assert max(many) - max(few) < 15
    # 16 x 16 x 3 bytes for each image make 15 MB, which would be seen.
    assert hoarded[-1] - hoarded[9] > many[-1] - many[9] + 5
