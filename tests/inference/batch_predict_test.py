"""Each of many images has one row, in order: its prediction or an error."""

import dataclasses
import os

import numpy as np
import odd_images
import pyarrow.parquet
import pytest
import tensorflow as tf
from batch_jobs import NAMES
from batch_jobs import alone
from batch_jobs import files
from batch_jobs import image_file
from batch_jobs import refuses
from batch_jobs import table
from batch_jobs import write

from keras_resnet.inference import batch
from keras_resnet.inference import sources

BAD = odd_images.unreadable()


@pytest.mark.parametrize(
    "format",
    [
        "keras",
        "tflite",
        pytest.param("saved_model", marks=pytest.mark.large),
    ],
)
def test_a_row_is_what_the_artifact_says_of_its_image_alone(
    artifact, job, format, complete
):
    # A part ends within a batch.
    job = dataclasses.replace(job, model=artifact(format), batch_size=12)
    if job.model == complete.model:
        job = complete
    # For a complete table the summary only counts its rows.
    assert batch.run(job).rows == len(NAMES)
    rows = table(job).to_pylist()
    assert len(rows) == len(NAMES)
    found = np.array([row["probabilities"] for row in rows])
    images = enumerate(NAMES)
    expected = np.array([alone(job.model, image_file(*i)) for i in images])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # Each image has its own answer, so a table out of order would differ.
    assert np.abs(found[1:] - expected[:-1]).max(1).min() > 1e-4
    for row, probabilities in zip(rows, expected, strict=True):
        order = np.argsort(-probabilities)[:5]
        names = [row[f"class_{k}"] for k in range(1, 6)]
        assert names == [str(k) for k in order]
        top = [row[f"probability_{k}"] for k in range(1, 6)]
        np.testing.assert_allclose(top, probabilities[order], atol=1e-6)
        assert row["error"] is None


def test_each_image_is_there_once_in_the_order_of_the_folders(complete, folder):
    job = complete
    summary = batch.run(job)  # of the table that is there
    assert (summary.parts, summary.errors) == (3, 0)
    paths = [f"{folder}/{n.decode('utf-8', 'replace')}" for n in NAMES[:-1]]
    paths.append(f"{folder}/z/caf\\xe9.jpg")
    assert table(job)["path"].to_pylist() == paths
    sizes = [
        pyarrow.parquet.read_metadata(f"{job.output}/{name}").num_rows
        for name in files(job)
        if name.startswith("part")
    ]
    assert sizes == [16, 16, len(NAMES) - 32]
    # The columns are as documented.
    assert [(f.name, str(f.type)) for f in table(job).schema] == [
        ("path", "string"),
        *[
            (f"{name}_{place}", type)
            for place in range(1, 6)
            for name, type in (("class", "string"), ("probability", "float"))
        ],
        ("probabilities", "fixed_size_list<element: float>[10]"),
        ("error", "string"),
    ]


def _first_attempt_fails(monkeypatch, names):
    encoded = sources.Folder.encoded

    def failing(self, row):
        path = encoded(self, row)
        if tf.executing_eagerly():
            return path
        lost = tf.strings.regex_full_match(row["path"], names)
        with tf.control_dependencies([tf.debugging.Assert(~lost, ["lost"])]):
            return tf.identity(path)

    monkeypatch.setattr(sources.Folder, "encoded", failing)


def test_images_are_read_twice_before_they_are_rows_with_the_reason(
    job, tmp_path, monkeypatch
):
    folder, good = tmp_path / "mixed", [b"0.png", b"1.png", b"2.png"]
    for name, (data, _) in BAD.items():
        write(folder / "bad", name.encode(), data)
    (folder / "bad" / "gone.jpg").symlink_to(folder / "nowhere")
    for number, name in enumerate(good):
        write(folder / "good", name, image_file(number, name))
    _first_attempt_fails(monkeypatch, ".*/good/[01].png")
    number = len(BAD) + 1
    job = dataclasses.replace(job, input=str(folder), max_errors=number)
    summary = batch.run(job)
    rows = table(job).to_pylist()
    bad, rest = rows[:number], rows[number:]
    assert summary.errors == number
    reasons = {name: reason for name, (_, reason) in BAD.items()}
    reasons["gone.jpg"] = "No such file"
    for row in bad:
        assert reasons[os.path.basename(row["path"])] in row["error"]
        assert row["class_1"] is None and row["probability_1"] is None
        assert np.isnan(row["probabilities"]).all()
    found = [row["probabilities"] for row in rest]
    expected = [alone(job.model, image_file(*i)) for i in enumerate(good)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert summary.named[0] == (bad[0]["path"], bad[0]["error"])


def test_records_are_named_by_file_and_number(job, tmp_path):
    pattern, expected = tmp_path / "data-*", []
    for shard, count in enumerate((0, 4, 3)):
        path = tmp_path / f"data-{shard}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(count):
                data = image_file(10 * shard + number, b"png")
                feature = {"bytes_list": {"value": [data]}}
                features = {"feature": {"image/encoded": feature}}
                example = tf.train.Example(features=features)
                writer.write(example.SerializeToString())
                expected.append((str(path), number, data))
    damaged = bytearray((tmp_path / "data-2").read_bytes())
    damaged[60] ^= 1  # in the first record, below its checksum
    (tmp_path / "data-2").write_bytes(damaged)
    job = dataclasses.replace(job, input=str(pattern), rows_per_part=3, top=2)
    limit = dataclasses.replace(job, max_errors=0)
    refuses(limit, "Cannot read record 0 of .*data-2: .* allows 0[.]")
    # The job continues within a file.
    summary = batch.run(job)
    assert summary.earlier_rows == 3
    assert summary.named == [(f"record 0 of {path}", "it is damaged")]
    assert summary.errors == 1
    rows = table(job).to_pylist()
    assert "class_2" in rows[0] and "class_3" not in rows[0]
    assert [(row["file"], row["record"]) for row in rows] == [
        (path, number) for path, number, _ in expected
    ]
    assert rows[4]["error"] == "it is damaged"
    for row, (_, _, data) in zip(rows, expected, strict=True):
        if row["error"] is None:
            found = row["probabilities"]
            np.testing.assert_allclose(found, alone(job.model, data), atol=1e-6)
