"""export.py and verify.py on a folder of photographs, as users start them."""

import dataclasses
import zipfile

import numpy as np
import programs
import pytest
import tensorflow as tf
from exported_networks import network
from PIL import Image

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.errors import UsageError
from keras_resnet.export import pipeline
from keras_resnet.labels import cards
from keras_resnet.training import final_files

SECRET = "of-nobodys-business"
CLASSES = tuple("abcdefghij")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """SECRET/photographs, with two bad images, and SECRET/run of a model."""
    root = tmp_path_factory.mktemp("root")
    photographs = root / SECRET / "photographs"
    rng = np.random.default_rng(0)
    for split, number in (("train", 3), ("validation", 2)):
        for name in CLASSES:
            folder = photographs / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
        (photographs / split / "c" / "1.png").write_bytes(b"no image")
    run = root / SECRET / "run"
    run.mkdir()
    dataset = f"folder:{photographs}"
    recipe = recipes.load("digits", {"dataset": dataset, "image_size": 16})
    final_files.save_model(run, network(), recipe, CLASSES)
    return root


@pytest.fixture(scope="module")
def exported(root):
    """What export.py wrote, and what it said."""
    said = programs.start(
        "export",
        f"--model={root}/{SECRET}/run/model.keras",
        f"--output_dir={root}/{SECRET}/exported",
        "--formats=saved_model,tflite_int8,onnx_int8",
        "--on_bad_image=mask:1",
        cwd=root,
    )
    assert said.returncode == 0, said.stderr
    return root / SECRET / "exported", said


def test_it_needs_no_dataset_and_masks_what_training_masked(exported):
    _, said = exported
    # 20 of the validation split, without one.
    assert "Verified on 19 images" in said.stdout


def test_all_that_it_says_is_its_own(exported):
    _, said = exported
    rows = said.stdout.splitlines()
    assert rows[0].startswith("file  ") and rows[-2] == ""
    assert len(rows) == 1 + 3 + 2
    first, second = said.stderr.splitlines()
    for line, split in ((first, "train"), (second, "validation")):
        assert f"{split}/c/1.png" in line and "Masked" in line


def _bytes(path):
    """All bytes of a file, and those of an archive in it, unpacked."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name)


def test_no_byte_of_it_tells_where_the_photographs_are(root, exported):
    directory, _ = exported
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) > 15
    holding = []
    for path in files:
        for content in _bytes(path):
            for secret in (SECRET, root.name):
                assert secret.encode() not in content, path
            if b"folder:photographs" in content:
                holding.append(path.name)
    assert {"card.json", "manifest.json", "model_int8.tflite"} <= {*holding}
    # Where the model is, its card still tells.
    card = cards.load_card(root / SECRET / "run")
    assert card.dataset == f"folder:{root}/{SECRET}/photographs"


@pytest.mark.large
def test_verify_finds_the_photographs_beside_the_model(root, exported):
    directory, _ = exported
    arguments = [f"--model={root}/{SECRET}/run/model.keras", directory]
    said = programs.start(
        "verify", *arguments, "--on_bad_image=mask:1", cwd=root
    )
    assert said.returncode == 0, said.stderr
    assert "by 19 images." in said.stdout


def test_a_name_for_the_data_is_taken(root, tmp_path):
    said = programs.start(
        "export",
        f"--model={root}/{SECRET}/run/model.keras",
        f"--output_dir={tmp_path}",
        "--formats=tflite_float32",
        "--on_bad_image=mask:1",
        "--dataset_name=birds of 2026",
        "--num_images=8",
        cwd=root,
    )
    assert said.returncode == 0, said.stderr
    assert cards.load_card(tmp_path).dataset == "birds of 2026"


# Images that cannot be read.


def _split(root):
    return datasets.load(f"folder:{root}/{SECRET}/photographs", "validation")


def test_an_image_that_cannot_be_read_is_named(root):
    with pytest.raises(UsageError) as raised:
        pipeline.read_images(_split(root), 20)
    assert "validation/c/1.png" in str(raised.value)
    assert "--on_bad_image=mask:N" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_masked_images_are_left_out_up_to_the_limit(root):
    images, found = pipeline.read_images(
        _split(root), 20, on_bad_image="mask:1"
    )
    assert len(images) == 19
    assert found == [i for i in range(10) for _ in range(2 - (i == 2))]
    bad = dataclasses.replace(
        _split(root),
        read=lambda index: (tf.constant(b"no image"), tf.constant(0)),
    )
    with pytest.raises(UsageError, match="2 images of .*mask:1 allows 1"):
        pipeline.read_images(bad, 20, on_bad_image="mask:1")
    with pytest.raises(UsageError, match="None of 20 images"):
        pipeline.read_images(bad, 20, on_bad_image="mask:20")


@pytest.mark.parametrize("command", ["export", "verify"])
def test_the_words_of_the_flag_are_those_of_train(command, root, tmp_path):
    model = f"--model={root}/{SECRET}/run/model.keras"
    arguments = [tmp_path] if command == "verify" else []
    said = programs.start(
        command, model, *arguments, "--on_bad_image=skip", cwd=root
    )
    assert said.returncode == 2
    assert "on_bad_image must be fail or mask:N" in said.stderr
    assert "Traceback" not in said.stderr
