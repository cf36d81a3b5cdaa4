"""A source and an augmentation from outside the package work like our own."""

import csv
import dataclasses
import shutil
import sys

import keras
import numpy as np
import programs
import pytest
from photographs import encoded
from sklearn.datasets import load_digits

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import catalog
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.pixels import augmentations
from keras_resnet.inference import extensions
from keras_resnet.training import run

RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    depths=(1, 1),
    filters=(16, 32),
    image_size=8,
    eval_resize=8,
    augmentation="pad_erase",
    pad_pixels=1,
    batch_size=8,
    steps=2,
    eval_every_steps=2,
    checkpoint_every_steps=1,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with own_data.py, a table and its files."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(programs.SUPPORT / "own_data.py", folder)
    images, labels = load_digits(return_X_y=True)
    with open(folder / "table.csv", "w", newline="") as file:
        for i in range(40):
            pixels = (images[i].reshape(8, 8) * 15).astype(np.uint8)
            (folder / f"{i}.png").write_bytes(encoded(pixels, "PNG"))
            split = "train" if i < 30 else "validation"
            label = "low" if labels[i] < 5 else "high"
            csv.writer(file).writerow([split, f"{i}.png", label])
    return folder


@pytest.fixture
def table(folder, monkeypatch):
    """The name of the table, while own_data is imported."""
    monkeypatch.setattr(extensions, "_loaded", [])
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    for held in (datasets.SOURCES, catalog.DATASETS):
        monkeypatch.delitem(held, "rows", raising=False)
    monkeypatch.delitem(augmentations.AUGMENTATIONS, "pad_erase", raising=False)
    monkeypatch.delitem(sys.modules, "own_data", raising=False)
    extensions.load(["own_data"])
    yield f"rows:{folder / 'table.csv'}"
    del datasets.SOURCES["rows"], catalog.DATASETS["rows"]
    del augmentations.AUGMENTATIONS["pad_erase"], sys.modules["own_data"]


def test_a_run_on_both_subtracts_the_mean_that_was_registered(table, tmp_path):
    recipe = dataclasses.replace(RECIPE, dataset=table)
    metrics = run.train_and_evaluate(recipe, tmp_path)
    assert metrics.num_examples == 10
    model = keras.saving.load_model(tmp_path / "model.keras")
    mean = model.get_layer("pixels").mean_color
    np.testing.assert_array_equal(mean, (10.0, 20.0, 30.0))


def test_its_numbers_are_its_own_and_move_none_of_ours(table):
    split = datasets.load(table, "train")

    def images(name, first_step=0):
        recipe = dataclasses.replace(RECIPE, augmentation=name)
        batches = pipeline.train_dataset(
            split, recipe, fill=(0.0,) * 3, first_step=first_step
        )
        return np.stack([batch["image"] for batch in batches])

    plain, erased = images("pad_crop"), images("pad_erase")
    grey = (erased == 128).all(axis=-1)
    # A square of 2 x 2 pixels in each image, not in the same place.
    assert set(grey.sum(axis=(2, 3)).ravel()) <= {4, 5, 6, 7, 8}
    assert len({row.tobytes() for row in grey.reshape(-1, 64)}) > 8
    # Erasing does not change the crops.
    np.testing.assert_array_equal(plain[~grey], erased[~grey])
    # A resumed run sees the same images.
    np.testing.assert_array_equal(images("pad_erase", 1), erased[1:])


@pytest.mark.large  # three commands
def test_commands_know_both_by_import(folder, tmp_path):
    own = ("--import=own_data", f"--dataset=rows:{folder / 'table.csv'}")
    small = ("--image_size=8", "--eval_resize=8", "--depths=1,1,1")
    done = programs.start(
        "train", *own, *small, "--augmentation=pad_erase", "--pad_pixels=1",
        "--steps=1", "--batch_size=8", f"--workdir={tmp_path}", cwd=folder,
    )  # fmt: skip
    assert "of 10 images" in done.stdout, done.stderr
    model = f"--model={tmp_path / 'model.keras'}"
    done = programs.start("evaluate", own[0], model, cwd=folder)
    assert "table.csv/validation" in done.stdout, done.stderr
    # Without the import the data set is unknown.
    done = programs.start("data", "validate", own[1], cwd=folder)
    assert done.returncode == 2
    assert "Unknown data set 'rows:" in done.stderr
    assert "folder, tfrecord" in done.stderr


def test_a_name_that_is_taken_or_cannot_be_is_refused():
    for name in ("folder", "digits", "a:b", ""):
        with pytest.raises(
            errors.UsageError, match="a name of letters|already.*Choose"
        ):
            datasets.register(name, None)
    with pytest.raises(errors.UsageError, match="augmentation 'cifar' already"):
        augmentations.register("cifar", about="")
    with pytest.raises(errors.UsageError, match="'pca' are 3 numbers"):
        augmentations.register("mine", about="", draws={"pca": 4})
    assert "mine" not in augmentations.AUGMENTATIONS
