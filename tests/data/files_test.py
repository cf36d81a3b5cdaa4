"""Which image files are read: all commands agree on each file."""

import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys

import image_kinds
import numpy as np
import odd_images
import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.stores import files
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import manifest
from keras_resnet.errors import UsageError
from keras_resnet.inference import pictures
from keras_resnet.inference import sources
from keras_resnet.inference import streams
from keras_resnet.labels.view import View

RECIPE = recipes.Recipe(
    image_size=8,
    eval_resize=9,
    augmentation="scale_crop",
    scale_range=(9, 12),
    batch_size=8,
    steps=1,
)


def _validate(split):
    records = manifest.records("train", split)
    return {i: r["error"] for i, r in enumerate(records) if "error" in r}


def _train(split):
    masked = bad_images.MaskedImages(split, split.num_examples)
    recipe = dataclasses.replace(RECIPE, batch_size=split.num_examples)
    data = pipeline.train_dataset(split, recipe, fill=(1, 2, 3), masked=masked)
    (batch,) = data.as_numpy_iterator()
    assert batch["weight"].sum() == split.num_examples - len(masked)
    return masked.reasons


def _evaluate(split):
    masked = bad_images.MaskedImages(split, split.num_examples)
    for _ in pipeline.eval_dataset(
        split, View.of(RECIPE), batch_size=8, masked=masked
    ):
        pass
    return masked.reasons


WAYS = {
    "inspect": lambda split: dict(inspection.survey(split).unreadable),
    "validate": _validate,
    "train": _train,
    "evaluate": _evaluate,
}


def _predict(folder):
    found = {}
    for file in pictures.files([folder]):
        try:
            pictures.read_whole(file, "ignore")
        except UsageError as error:
            found[file.name] = str(error).split(": ", 1)[-1]
    return found


def _table(folder):
    source = sources.open_source(folder)
    found = {}
    for batch in streams.batches(
        source,
        sources.Cursor(source),
        View.of(RECIPE),
        batch_size=8,
        boundary=1000,
    ):
        for place, why in batch.problems.items():
            found[os.path.basename(batch.describe(place))] = why
    return found


def _by_every_command(root):
    """{command: {name: why it is not read}} of the images of root/train/a."""
    # Without a folder "validation" a fifth of the images become that split.
    splits = [
        datasets.load(f"folder:{root}", name)
        for name in ("train", "validation")
    ]
    found = {
        way: {
            os.path.basename(split.describe(i)): why
            for split in splits
            for i, why in reasons(split).items()
        }
        for way, reasons in WAYS.items()
    }
    folder = pathlib.Path(root) / "train" / "a"
    return found | {"predict": _predict(folder), "table": _table(folder)}


def _write_odd(folder):
    """Entries that are not image files, and one that is."""
    (folder / "good.png").write_bytes(image_kinds.READ["bmp: 8 bits"])
    for name, size in (("sparse.jpg", 6 << 30), ("zeros.jpg", 100 << 20)):
        with open(folder / name, "wb") as file:
            file.truncate(size)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "to pipe.webp").symlink_to("pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "to good.gif").symlink_to("good.png")


ODD = {
    "sparse.jpg": "6,442,450,944 bytes, more than the limit of 536,870,912",
    "zeros.jpg": "not an image: all its bytes are zero",
    "pipe.jpg": "it is a pipe, not a file",
    "to pipe.webp": "it is a pipe, not a file",
    "device.jpg": "it is a device, not a file",
}


def test_a_file_is_refused_before_it_is_opened(tmp_path):
    folder = tmp_path
    _write_odd(folder)
    for name, why in ODD.items():
        assert why in files.problem(folder / name)
        with pytest.raises(UsageError, match=why):
            pictures.read_whole(folder / name, "ignore")
    assert files.problem(folder / "to good.gif") is None
    assert pictures.read_whole(folder / "to good.gif", "ignore").shape == (
        21,
        37,
        3,
    )


@pytest.mark.large  # six commands read all kinds
def test_all_commands_refuse_the_same_files_for_the_same_reasons(tmp_path):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    _write_odd(folder)
    refused = set(ODD)
    cases = image_kinds.READ | image_kinds.REFUSED
    cases |= {n: f for n, (f, _) in odd_images.unreadable().items()}
    for number, (name, file) in enumerate(cases.items()):
        suffix = name.split(":")[0] if ": " in name else "jpg"
        # Every fifth file has the suffix JPEG, whatever its content.
        path = folder / f"{number:03}.{suffix if number % 5 else 'JPEG'}"
        path.write_bytes(file)
        if name not in image_kinds.READ:
            refused.add(path.name)
    found = _found_under_a_limit(tmp_path)
    assert len(refused) > 30 and len(found) == 6
    for command, reasons in found.items():
        assert set(reasons) == refused, command
        assert all(why and "\n" not in why for why in reasons.values())
        for name, why in ODD.items():
            assert why in reasons[name], (command, name)
    assert found["inspect"] == found["train"] == found["evaluate"]
    assert found["inspect"] == found["validate"] == found["table"]


def _found_under_a_limit(root):
    program = "import files_test; files_test.say_under_a_limit()"
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=str(root),
        cwd=pathlib.Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def say_under_a_limit():
    """Prints as JSON what every command says, in 1.5 GB beside TensorFlow."""
    root = sys.stdin.read()
    tf.random.uniform((1,))
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    limit = mapped + 3 * 2**29
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(json.dumps(_by_every_command(root)))


def test_a_remote_file_is_looked_at_when_it_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    (folder / "1.bmp").write_bytes(image_kinds.READ["bmp: 8 bits"])
    (folder / "2.bmp").write_bytes(image_kinds.READ["bmp: 32 bits"])
    monkeypatch.setattr(files, "MAX_BYTES", 3000)
    split = datasets.load(f"folder:file://{tmp_path}", "train")
    assert list(_evaluate(split)) == [1]
    (why,) = _table(f"file://{folder}").values()
    assert why == "it has 3,162 bytes, more than the limit of 3,000"


def test_a_file_of_the_limit_is_read(tmp_path, monkeypatch):
    file = tmp_path / "1.bmp"
    file.write_bytes(image_kinds.READ["bmp: 8 bits"])
    monkeypatch.setattr(files, "MAX_BYTES", file.stat().st_size)
    np.testing.assert_array_equal(
        pictures.read_whole(file, "ignore"),
        image_kinds.pillow(image_kinds.READ["bmp: 8 bits"]),
    )
    monkeypatch.setattr(files, "_LARGE", 0)
    assert files.problem(file) is None
    monkeypatch.setattr(files, "MAX_BYTES", file.stat().st_size - 1)
    assert "more than the limit" in files.problem(file)
