"""The commands export, verify and predict on a folder of photographs."""

import dataclasses
import json
import re
import shutil
import zipfile

import exported_networks
import numpy as np
import programs
import pytest
import tensorflow as tf
import zygote
from PIL import Image

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data.pixels import decoding
from keras_resnet.errors import UsageError
from keras_resnet.export import pipeline
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.labels import cards
from keras_resnet.training import final_files

SECRET = "of-nobodys-business"
BIRDS = "birds of 2026"
CLASSES = tuple("abcdefghij")
MODELS = {
    "keras": "run/model.keras",
    "saved_model": "exported/saved_model",
    "tflite": "exported/model_float32.tflite",
    "onnx": "exported/model.onnx",
}
MASK = "--on_bad_image=mask:1"


def start(*words, cwd):
    """The result of a command that verifies in its own process."""
    return zygote.run(programs.SUPPORT / "one_process.py", *words, cwd=cwd)


def refuses(message, *words, cwd):
    """Asserts that a command ends with one clear message and status 2."""
    result = start(*words, cwd=cwd)
    assert result.returncode == 2, result.stderr
    assert re.search(rf"^ERROR: .*{message}", result.stderr, re.M | re.S)
    assert "Traceback" not in result.stderr
    assert not result.stdout


@pytest.fixture(scope="module")
def network():
    return exported_networks.network(depths=(1, 1), filters=(16, 32))


@pytest.fixture(scope="module")
def root(network, tmp_path_factory):
    """Folder SECRET: photographs/ (two bad) and run/; export adds exported/."""
    root = tmp_path_factory.mktemp("root") / SECRET
    rng = np.random.default_rng(0)
    for split, number in (("train", 3), ("validation", 2)):
        for name in CLASSES:
            folder = root / "photographs" / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
        bad = root / "photographs" / split / "c" / "1.png"
        bad.write_bytes(b"no image")
    (root / "run").mkdir()
    dataset = f"folder:{root}/photographs"
    recipe = recipes.load("digits", {"dataset": dataset, "image_size": 16})
    final_files.save_model(root / "run", network, recipe, CLASSES)
    return root


@pytest.fixture(scope="module")
def said(root):
    """The result of the command export."""
    said = start(
        "export",
        "--model=run/model.keras",
        "--formats=saved_model,tflite_float32,onnx,tflite_int8",
        MASK,
        cwd=root,
    )
    assert said.returncode == 0, said.stderr
    return said


def test_export_prints_what_it_measured_and_nothing_else(root, said):
    manifest = json.loads((root / "exported/manifest.json").read_text())
    title, *rows, blank, last = said.stdout.splitlines()
    assert title.startswith("file  ") and blank == ""
    for artifact, row in zip(manifest["artifacts"], rows, strict=True):
        path, precision, megabytes, difference, agreement, _ = row.split()
        assert (path, precision) == (artifact["path"], artifact["precision"])
        assert float(megabytes) == round(artifact["bytes"] / 1e6, 2)
        if precision == "float32":
            assert float(difference) <= 1e-5
            assert agreement == "100.0%"
    # The card's data set has 20 validation images; the bad one is left out.
    assert "Verified on 19 images" in last
    for line, split in zip(
        said.stderr.splitlines(), ("train", "validation"), strict=True
    ):
        assert f"{split}/c/1.png" in line and "Masked" in line


def _bytes(path):
    """Yields a file's bytes and, if it holds an archive, each member's."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name)


def test_no_byte_of_it_tells_where_the_photographs_are(root, said):
    files = [p for p in (root / "exported").rglob("*") if p.is_file()]
    assert len(files) > 15
    holding = []
    for path in files:
        for content in _bytes(path):
            for secret in (SECRET, root.parent.name):
                assert secret.encode() not in content, path
            if b"folder:photographs" in content:
                holding.append(path.name)
    assert {"card.json", "manifest.json", "model_int8.tflite"} <= {*holding}
    # The card beside the model still names the folder.
    card = cards.load_card(root / "run")
    assert card.dataset == f"folder:{root}/photographs"


@pytest.fixture(scope="module")
def features(root):
    """The result of exporting features under another data set name."""
    said = start(
        "export",
        *("--model=run/model.keras", "--formats=onnx", MASK),
        *("--outputs=embedding", f"--dataset_name={BIRDS}"),
        "--output_dir=features",
        cwd=root,
    )
    assert said.returncode == 0, said.stderr
    return said


def test_export_keeps_an_earlier_one_without_force(root, said):
    before = (root / "exported/manifest.json").read_bytes()
    message = "There is an export already: .*model.onnx.*Pass --force"
    refuses(message, "export", "--model=run/model.keras", cwd=root)
    assert (root / "exported/manifest.json").read_bytes() == before


def test_verify_passes_and_then_names_the_damaged_file(root, said, tmp_path):
    exported = shutil.copytree(root / "exported", tmp_path / "exported")
    arguments = (f"--model={root}/run/model.keras", exported, MASK)
    result = start("verify", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "by 19 images." in result.stdout
    rows = [line.split()[:3] for line in result.stdout.splitlines()[1:6]]
    assert rows == [
        ["saved_model", "serving_default", "own"],
        ["saved_model", "serve_bytes", "own"],
        ["model_float32.tflite", "serving_default", "own"],
        ["model.onnx", "serving_default", "own"],
        ["model_int8.tflite", "serving_default", "own"],
    ]
    path = exported / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    message = "model.onnx: its sha256 is not the manifest's"
    refuses(message, "verify", *arguments, cwd=tmp_path)


@pytest.mark.parametrize("format", MODELS)
def test_predict_gives_the_model_s_top_classes(root, said, network, format):
    samples = sorted((root / "exported/samples").iterdir())
    assert len(samples) == 8
    model = f"--model={MODELS[format]}"
    result = start("predict", model, "exported/samples", samples[0], cwd=root)
    assert result.returncode == 0, result.stderr
    *blocks, last = re.split(r"^(?=\S)", result.stdout, flags=re.M)[1:]
    card = cards.load_card(root / "run")
    for path, block in zip([*samples, samples[0]], blocks, strict=True):
        title, *lines = block.strip().splitlines()
        assert re.search(rf"{path.name}  \(\d+\.\d ms\)$", title)
        image = decoding.decode(path.read_bytes())
        expected = network(evaluation_views([image], card)).numpy()[0]
        order = np.argsort(-expected)[:5]
        for line, k in zip(lines, order, strict=True):
            probability, name = line.split()
            assert name == CLASSES[k]
            percent = float(probability.rstrip("%"))
            assert abs(percent - 100 * expected[k]) < 0.01
    assert re.match(
        rf"9 images with {format}: first call \d+\.\d ms, then ", last
    )


def test_predict_needs_images_a_model_and_its_labels(root, said, tmp_path):
    images, tflite = root / "exported/samples", MODELS["tflite"]
    model = f"--model={root}/{tflite}"
    refuses("There are no images. Pass", "predict", model, cwd=tmp_path)
    (tmp_path / "notes.jpg").write_text("not an image")
    for message, arguments in (
        ("'notes.jpg' is not an image that can be", (model, "notes.jpg")),
        ("There is no model 'x.tflite'", ("--model=x.tflite",)),
    ):
        refuses(message, "predict", *arguments, images, cwd=tmp_path)
    shutil.copy(root / "exported/model.onnx", tmp_path)
    arguments = ("--model=model.onnx", images)
    refuses("There is no labels.txt in", "predict", *arguments, cwd=tmp_path)
    shutil.copy(root / "exported/card.json", tmp_path)
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    message = "has 10 classes, the labels.txt beside it 2 names"
    refuses(message, "predict", *arguments, cwd=tmp_path)
    # A lone .tflite file contains its labels.
    shutil.copy(root / tflite, tmp_path / "alone.tflite")
    arguments = ("--model=alone.tflite", images)
    result = start("predict", *arguments, cwd=tmp_path)
    assert "8 images with tflite" in result.stdout, result.stderr


# Images that cannot be read.


def test_masked_images_are_left_out_up_to_the_limit(root):
    split = datasets.load(f"folder:{root}/photographs", "validation")
    images, found = pipeline.read_images(split, 20, on_bad_image="mask:1")
    assert len(images) == 19
    assert found == [i for i in range(10) for _ in range(2 - (i == 2))]
    none = dataclasses.replace(
        split, read=lambda index: (tf.constant(b"no image"), tf.constant(0))
    )
    for data, words, message in (
        (split, "fail", "validation/c/1.png.*--on_bad_image=mask:N"),
        (none, "mask:1", "2 images of .*mask:1 allows 1"),
        (none, "mask:20", "None of 20 images"),
    ):
        with pytest.raises(UsageError, match=message):
            pipeline.read_images(data, 20, on_bad_image=words)


@pytest.mark.parametrize("command", ["export", "verify"])
def test_the_words_of_the_flag_are_those_of_train(command, root, tmp_path):
    arguments = [tmp_path] if command == "verify" else []
    arguments += ["--model=run/model.keras", "--on_bad_image=skip"]
    message = "on_bad_image must be fail or mask:N"
    refuses(message, command, *arguments, cwd=root)


def test_features_are_exported_and_verified_and_do_not_predict(root, features):
    assert cards.load_card(root / "features").dataset == BIRDS
    title, row, *_ = features.stdout.splitlines()
    assert "least cosine" in title and "%" not in row
    assert re.search(r" (0\.9999|1\.0)\d+ ", row)
    model = "--model=run/model.keras"
    result = start("verify", model, "features", MASK, cwd=root)
    assert result.returncode == 0, result.stderr
    row = result.stdout.splitlines()[1].split()
    assert row[:3] == ["model.onnx", "serving_default", "embedding"]
    message = "model.onnx' is no classifier: it gives embedding"
    refuses(
        message,
        "predict",
        "--model=features/model.onnx",
        "photographs/train/a",
        cwd=root,
    )
