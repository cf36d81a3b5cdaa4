"""Predictions of many images: all of them, once, in order, whatever happens."""

import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import odd_images
import pyarrow.parquet
import pytest
import tensorflow as tf
from exported_networks import card_of
from exported_networks import network

from keras_resnet import files as files_lib
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.data.stores import listing
from keras_resnet.errors import UsageError
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import batch
from keras_resnet.inference import parts as parts_lib
from keras_resnet.inference import runtime
from keras_resnet.inference import sources
from keras_resnet.labels.view import View

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "pipelines/predict.py"
FORMATS = {
    "keras": "model.keras",
    "saved_model": "saved_model",
    "tflite": "model.tflite",
    "onnx": "model.onnx",
}
# In the order of the table: a folder's own images first. The names are hard
# for somebody: wildcards, a blank, a folder like an image, no UTF-8.
NAMES = [
    b"10.jpg",
    b"9.JPEG",
    b"[*]?.png",
    b"two words.bmp",
    b"a/1.png",
    b"a/2.png",
    b"a/b/c/deep.gif",
    b"folder.jpg/in it.jpg",
    *(b"z/%03d.png" % number for number in range(30)),
    b"z/caf\xe9.jpg",
]
KINDS = {b".jpg": "JPEG", b".jpeg": "JPEG", b".bmp": "BMP", b".gif": "GIF"}
BAD = odd_images.unreadable()
SIZES = {"batch_size": 5, "rows_per_part": 16}


def write(folder, name, data):
    path = os.path.join(os.fsencode(folder), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def image_file(number, name):
    """A file of an image like no other."""
    image = odd_images.photograph(20 + 3 * number, 60 - number)
    image = image.point(lambda value: (value + 37 * number) % 256)
    kind = KINDS.get(os.path.splitext(name)[1].lower(), "PNG")
    return odd_images.encode(image, kind)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory of one network in all formats."""
    directory = tmp_path_factory.mktemp("models")
    model = network()
    card = card_of(model)
    card.save(directory)
    model.save(directory / FORMATS["keras"])
    export_saved_model(model, directory / FORMATS["saved_model"], card=card)
    export_tflite(model, directory / FORMATS["tflite"], card=card)
    export_onnx(model, directory / FORMATS["onnx"], card=card)
    return directory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`NAMES`, and what is no image of the folder."""
    root = tmp_path_factory.mktemp("input") / "photos"
    for number, name in enumerate(NAMES):
        write(root, name, image_file(number, name))
    for name in (b"notes.txt", b".hidden.png", b".cache/x.png", b"a/none/x"):
        write(root, name, b"no image")
    (root / "z" / "around").symlink_to("..")
    return root


@pytest.fixture
def job(models, folder, tmp_path):
    return batch.Job(
        model=str(models / FORMATS["tflite"]),
        input=str(folder),
        output=str(tmp_path / "predictions.parquet"),
        probabilities=True,
        **SIZES,
    )


@pytest.fixture(scope="module")
def whole(models, folder, tmp_path_factory):
    """What an undisturbed run of `job` writes, as `files` gives it."""
    job = batch.Job(
        model=str(models / FORMATS["tflite"]),
        input=str(folder),
        output=str(tmp_path_factory.mktemp("whole") / "predictions.parquet"),
        probabilities=True,
        **SIZES,
    )
    batch.run(job)
    return files(job)


def table(job):
    return pyarrow.parquet.read_table(job.output)


def files(job):
    """{name: bytes} of what is visible in an output."""
    paths = pathlib.Path(job.output).glob("[!.]*")
    return {path.name: path.read_bytes() for path in sorted(paths)}


def times(job):
    """When each file of an output was written."""
    paths = pathlib.Path(job.output).iterdir()
    return {path.name: path.stat().st_mtime_ns for path in paths}


@functools.cache
def loaded(model):
    return runtime.load_predictor(model)


def alone(model, encoded):
    """Probabilities of one file, by the artifact and no batch."""
    view = transforms.evaluation(
        decoding.decode(encoded), View(resize=18, crop=16)
    )
    return loaded(model).predict(view.numpy()[None])[0]


def refuses(job, message, **options):
    with pytest.raises(UsageError, match=message):
        batch.run(job, **options)


@pytest.mark.parametrize("format", FORMATS)
def test_a_row_is_what_the_artifact_says_of_its_image_alone(
    models, job, format
):
    job = dataclasses.replace(job, model=str(models / FORMATS[format]))
    summary = batch.run(job)
    rows = table(job).to_pylist()
    assert summary.rows == len(rows) == len(NAMES)
    found = np.array([row["probabilities"] for row in rows])
    expected = np.array(
        [
            alone(job.model, image_file(number, name))
            for number, name in enumerate(NAMES)
        ]
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # Each image has its own: a table out of order is another one.
    assert np.abs(found[1:] - expected[:-1]).max(1).min() > 1e-4
    for row, probabilities in zip(rows, expected, strict=True):
        order = np.argsort(-probabilities)[:5]
        names = [row[f"class_{k}"] for k in range(1, 6)]
        assert names == [str(k) for k in order]
        top = [row[f"probability_{k}"] for k in range(1, 6)]
        np.testing.assert_allclose(top, probabilities[order], atol=1e-6)
        assert row["error"] is None


def test_each_image_is_there_once_in_the_order_of_the_folders(job, folder):
    summary = batch.run(job)
    assert (summary.parts, summary.errors) == (3, 0)
    paths = [f"{folder}/{n.decode('utf-8', 'replace')}" for n in NAMES[:-1]]
    assert table(job)["path"].to_pylist() == [
        *paths,
        f"{folder}/z/caf\\xe9.jpg",
    ]
    sizes = [
        pyarrow.parquet.read_metadata(f"{job.output}/{name}").num_rows
        for name in files(job)
        if name.startswith("part")
    ]
    assert sizes == [16, 16, len(NAMES) - 32]
    # The walk is lazy: nothing below the first folder has been listed.
    listed = []
    with pytest.MonkeyPatch.context() as patch:
        real = listing.images
        patch.setattr(
            listing, "images", lambda path: listed.append(path) or real(path)
        )
        next(sources.Folder(folder).pieces())
    assert listed == [os.fsencode(folder)]


def test_columns_are_those_of_the_document(job):
    batch.run(dataclasses.replace(job, top=2))
    assert [(f.name, str(f.type)) for f in table(job).schema] == [
        ("path", "string"),
        ("class_1", "string"),
        ("probability_1", "float"),
        ("class_2", "string"),
        ("probability_2", "float"),
        ("probabilities", "fixed_size_list<element: float>[10]"),
        ("error", "string"),
    ]


def test_images_that_cannot_be_read_are_rows_with_the_reason(job, tmp_path):
    folder = tmp_path / "mixed"
    for name, (data, _) in BAD.items():
        write(folder / "bad", name.encode(), data)
    (folder / "bad" / "gone.jpg").symlink_to(folder / "nowhere")
    write(folder / "good", b"1.png", image_file(1, b"1.png"))
    job = dataclasses.replace(job, input=str(folder))
    summary = batch.run(job)
    *bad, good = table(job).to_pylist()
    assert summary.errors == len(bad) == len(BAD) + 1
    reasons = {name: reason for name, (_, reason) in BAD.items()}
    reasons["gone.jpg"] = "No such file"
    for row in bad:
        assert reasons[os.path.basename(row["path"])] in row["error"]
        assert row["class_1"] is None and row["probability_1"] is None
        assert np.isnan(row["probabilities"]).all()
    expected = alone(job.model, image_file(1, b"1.png"))
    np.testing.assert_allclose(good["probabilities"], expected, atol=1e-6)
    assert summary.named[0] == (bad[0]["path"], bad[0]["error"])

    limit = dataclasses.replace(job, max_errors=len(bad) - 1)
    refuses(limit, f"Cannot read .*allows {len(bad) - 1}[.]", force=True)
    limit = dataclasses.replace(job, max_errors=len(bad))
    assert batch.run(limit, force=True).errors == len(bad)


def test_what_fails_once_is_tried_again(job, monkeypatch):
    encoded = sources.Folder.encoded

    def first_attempt_fails(self, row):
        path = encoded(self, row)
        if tf.executing_eagerly():
            return path
        lost = tf.strings.regex_full_match(row["path"], ".*01[0-9].png")
        with tf.control_dependencies([tf.debugging.Assert(~lost, ["lost"])]):
            return tf.identity(path)

    batch.run(job)
    expected = table(job)
    monkeypatch.setattr(sources.Folder, "encoded", first_attempt_fails)
    assert batch.run(job, force=True).errors == 0
    assert table(job).equals(expected)


def test_records_are_named_by_file_and_number(job, tmp_path):
    pattern, expected = tmp_path / "data-*", []
    for shard in range(3):
        path = tmp_path / f"data-{shard}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(4 * shard):  # the first is empty
                data = image_file(10 * shard + number, b"png")
                feature = {"bytes_list": {"value": [data]}}
                features = {"feature": {"image/encoded": feature}}
                example = tf.train.Example(features=features)
                writer.write(example.SerializeToString())
                expected.append((str(path), number, data))
    damaged = bytearray((tmp_path / "data-2").read_bytes())
    damaged[60] ^= 1  # in the first record, below its checksum
    (tmp_path / "data-2").write_bytes(damaged)
    job = dataclasses.replace(job, input=str(pattern), rows_per_part=7)
    summary = batch.run(job)
    assert summary.named == [(f"record 0 of {path}", "it is damaged")]
    assert summary.errors == 1
    rows = table(job).to_pylist()
    assert [(row["file"], row["record"]) for row in rows] == [
        (path, number) for path, number, _ in expected
    ]
    assert rows[4]["error"] == "it is damaged"
    for row, (_, _, data) in zip(rows, expected, strict=True):
        if row["error"] is None:
            found = row["probabilities"]
            np.testing.assert_allclose(found, alone(job.model, data), atol=1e-6)
    _killed(job, 2)
    assert batch.run(job).earlier_rows == 7
    assert table(job).to_pylist()[0] == rows[0]
    assert table(job).num_rows == len(rows)


class _Killed(BaseException):
    pass


def _killed(job, part):
    """Ends a new run before its `part`-th file gets its name."""
    replace, left = os.replace, part

    def dying(source, target):
        nonlocal left
        left -= os.fspath(target).endswith(".parquet")
        if left == 0:
            raise _Killed
        replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_lib.os, "replace", dying)
        with pytest.raises(_Killed):
            batch.run(job, force=True)


@pytest.mark.parametrize("part", [1, 3])
def test_a_run_that_died_goes_on_to_the_same_bytes(job, whole, part):
    _killed(job, part)
    # What was there is whole, and is not all.
    before = files(job)
    assert len(before) == part - 1 and before.items() < whole.items()
    assert batch.run(job).earlier_rows == 16 * (part - 1)
    assert files(job) == whole


_SIGKILL = """
import os, pathlib, runpy, signal, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
replace = os.replace
def dying(source, target):
    if str(target).endswith("part-00001.parquet"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = dying
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _command(job, *arguments, before=()):
    return subprocess.run(
        [
            sys.executable,
            *before,
            PROGRAM,
            f"--model={job.model}",
            f"--input={job.input}",
            f"--output={job.output}",
            *(f"--{name}={value}" for name, value in SIZES.items()),
            "--probabilities",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_command_goes_on_after_sigkill(job, whole):
    result = _command(job, before=("-c", _SIGKILL))
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert list(files(job)) == ["part-00000.parquet"]
    assert batch.run(job).earlier_rows == 16
    assert files(job) == whole


def test_an_unfinished_table_is_of_one_model_one_input_and_one_setting(
    models, job, folder, tmp_path
):
    other = tmp_path / "other"
    shutil.copytree(folder, other, symlinks=True)
    _killed(job, 3)
    changes = {
        "model": str(models / FORMATS["onnx"]),
        "input": str(other),
        "top": 3,
        "probabilities": False,
        "batch_size": 4,
        "rows_per_part": 32,
    }
    for name, value in changes.items():
        changed = dataclasses.replace(job, **{name: value})
        refuses(changed, f"made by something else: {name}=.* then, .* now")
    # What decides no row may change.
    assert batch.run(dataclasses.replace(job, threads=1)).earlier_rows == 32


def test_images_that_come_or_go_in_between_are_noticed(job, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(job.input, folder, symlinks=True)
    job = dataclasses.replace(job, input=str(folder))
    _killed(job, 2)
    (folder / "11.jpg").write_bytes(b"")
    refuses(job, "The first 16 images of .* are not those that")
    (folder / "11.jpg").rename(folder / "z" / "last.jpg")
    assert batch.run(job).rows == len(NAMES) + 1
    (folder / "z" / "last of all.jpg").write_bytes(b"")
    refuses(job, "not those that")
    (folder / "z" / "last of all.jpg").rename(folder / "z" / "later.jpg")
    refuses(job, "is complete, but .* has more images than its 40 now")


def test_a_complete_table_is_left_alone_and_replaced_by_force(job):
    batch.run(job)
    before = {
        p: p.stat().st_mtime_ns for p in pathlib.Path(job.output).glob("*")
    }
    summary = batch.run(job)
    assert summary.rows == summary.earlier_rows == len(NAMES)
    after = {
        p: p.stat().st_mtime_ns for p in pathlib.Path(job.output).glob("*")
    }
    assert before == after
    other = dataclasses.replace(job, rows_per_part=100)
    assert batch.run(other, force=True).parts == 1


def test_a_folder_that_cannot_be_listed_stops_the_run_by_name(job, whole):
    real = listing.subfolders

    def failing(folder):
        if folder.endswith(b"/z"):
            raise UsageError("Cannot list 'z': no permission.")
        return real(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "subfolders", failing)
        refuses(job, "^Cannot list 'z': no permission.$")
    assert files(job).items() < whole.items()
    batch.run(job)
    assert files(job) == whole


def test_damage_and_strangers_in_the_output_are_refused(job):
    batch.run(job)
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
    with parts_lib.hold(output, {}, force=True):
        refuses(job, "Another process writes to")
    assert batch.run(job).rows == len(NAMES)


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
    result = _command(job, "photo.jpg")
    assert result.returncode == 2
    assert "--input and --output go together" in result.stderr
    job = dataclasses.replace(job, input=str(tmp_path / "two"))
    for name in (b"1.jpg", b"2.jpg"):
        write(job.input, name, b"")
    result = _command(job, "--on_bad_image=mask:1")
    assert result.returncode == 2
    assert "2.jpg: it is empty. That makes 2 where" in result.stderr
    result = _command(job, "--on_bad_image=mask:2")
    assert result.returncode == 0, result.stderr
    assert "1.jpg: it is empty." in result.stdout
    assert "2 rows in 1 parts, 2 of them with an error." in result.stdout
    assert "\n2 of the rows are new: " in result.stdout
    result = _command(job, "--on_bad_image=mask:2")
    assert result.stdout.endswith("\n0 of the rows are new.\n")


# Prints the resident size after every 1,000 rows, MB.
_RESIDENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from benchmarks import memory
from keras_resnet.inference import batch
add, rows, readings, kept = batch._Writer.add, 0, [], []
def measured(self, part, probabilities):
    global rows
    rows += len(part)
    if sys.argv[2] == "keep":
        kept.append(part.images)
    add(self, part, probabilities)
    if rows % 1000 < len(part):
        readings.append(memory.resident_megabytes())
batch._Writer.add = measured
summary = batch.run(batch.Job(**json.loads(sys.argv[3])))
print(json.dumps([summary.rows, summary.seconds, readings]))
"""


def _resident(job, what=""):
    arguments = [PROGRAM.parent, what, json.dumps(dataclasses.asdict(job))]
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
    # 16 x 16 x 3 bytes an image are 15 MB; that would be seen.
    assert hoarded[-1] - hoarded[9] > many[-1] - many[9] + 5
