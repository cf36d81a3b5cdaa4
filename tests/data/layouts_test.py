"""A folder of pictures is read however its owner has laid it out."""

import shutil

import numpy as np
import pytest
from PIL import Image

from keras_resnet.data import datasets
from keras_resnet.errors import UsageError


def _save(folder, name, number):
    """Saves an image that is different for each number."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.full((6, 8, 3), number % 251, np.uint8)
    pixels[0, 0] = number // 251
    Image.fromarray(pixels).save(folder / name)


def _fill(root, classes=("cat", "고양이", "two words"), images=10):
    for number, name in enumerate(classes):
        for i in range(images):
            _save(root / name, f"{i}.png", 100 * number + i)


def _open(root, query=""):
    """{split: its files}."""
    return {
        split: [opened.describe(i) for i in range(opened.num_examples)]
        for split in ("train", "validation")
        for opened in [datasets.load(f"folder:{root}{query}", split)]
    }


@pytest.mark.parametrize("name", ["validation", "val", "valid", "test"])
def test_the_folder_of_validation_has_any_of_its_names(name, tmp_path):
    _fill(tmp_path / "train")
    _fill(tmp_path / name, images=3)
    files = _open(tmp_path)
    assert (len(files["train"]), len(files["validation"])) == (30, 9)
    assert all(f"/{name}/" in file for file in files["validation"])


def test_test_is_not_taken_where_validation_is(tmp_path):
    for name, images in (("train", 10), ("val", 3), ("test", 4)):
        _fill(tmp_path / name, images=images)
    assert len(_open(tmp_path)["validation"]) == 9
    assert datasets.load(f"folder:{tmp_path}", "test").num_examples == 12


@pytest.mark.parametrize("inside", ["", "train"])
def test_class_folders_alone_give_a_fifth_of_each_class(inside, tmp_path):
    _fill(tmp_path / inside)
    files = _open(tmp_path)
    assert (len(files["train"]), len(files["validation"])) == (24, 6)
    assert not set(files["train"]) & set(files["validation"])
    split = datasets.load(f"folder:{tmp_path}", "validation")
    assert split.class_names == ("cat", "two words", "고양이")
    assert np.bincount(split.labels).tolist() == [2, 2, 2]
    for index in range(6):
        image, label = split.read(index)
        assert split.class_names[label] in split.describe(index)
        assert image.numpy() == open(split.describe(index), "rb").read()
    assert _open(tmp_path) == files


def test_the_part_and_the_seed_can_be_chosen(tmp_path):
    _fill(tmp_path)
    plain = _open(tmp_path)
    assert _open(tmp_path, "?validation=0.2&seed=0") == plain
    assert _open(tmp_path, "?seed=1") != plain
    assert len(_open(tmp_path, "?validation=0.5")["validation"]) == 15


def test_copies_are_on_one_side_and_others_of_their_size_are_none(tmp_path):
    _fill(tmp_path, classes=("cat", "dog"), images=8)
    cat = tmp_path / "cat"
    for i in range(8):
        shutil.copy(cat / f"{i}.png", cat / f"x{i}.png")
    for seed in range(5):
        files = _open(tmp_path, f"?validation=0.3&seed={seed}")
        bytes_of = {
            split: {open(file, "rb").read() for file in names}
            for split, names in files.items()
        }
        assert not bytes_of["train"] & bytes_of["validation"]
    # Some files have the same size: only their bytes tell them apart.
    sizes = {path.stat().st_size for path in tmp_path.glob("dog/*.png")}
    assert len(sizes) < 8


def test_a_class_called_train_is_a_class(tmp_path):
    _fill(tmp_path, classes=("car", "train"))
    split = datasets.load(f"folder:{tmp_path}", "train")
    assert split.class_names == ("car", "train")


@pytest.mark.parametrize(
    "query, message",
    [
        ("?validation=0", "validation must be between 0 and 1. Received: 0"),
        ("?validation=x", "validation must be a number. Received: 'x'"),
        ("?seed=-1", "seed must be a number. Received: '-1'"),
        ("?seed=1.5", "seed must be a number. Received: '1.5'"),
        ("?validation=nan", "validation must be a number"),
        ("?seed=1&part=2", "Unknown choice after the [?] 'part'"),
        ("?fraction=1", "There is no folder"),
    ],
)
def test_a_query_that_cannot_be_is_refused(query, message, tmp_path):
    _fill(tmp_path)
    with pytest.raises(UsageError, match=message):
        _open(tmp_path, query)


def test_what_is_doubtful_is_refused(tmp_path):
    _fill(tmp_path / "train")
    _fill(tmp_path / "validaton")
    assert datasets.load(f"folder:{tmp_path}", "validaton").num_examples == 30
    with pytest.raises(UsageError, match="Rename one of: train, validaton"):
        datasets.load(f"folder:{tmp_path}", "validation")
    (tmp_path / "validaton").rename(tmp_path / "val")
    with pytest.raises(UsageError, match="has a folder for validation, so"):
        _open(tmp_path, "?seed=1")
    with pytest.raises(UsageError, match="There is no folder.*holdout"):
        datasets.load(f"folder:{tmp_path}", "holdout")
    _fill(tmp_path / "classes")
    with pytest.raises(UsageError, match="its splits are train and valid"):
        datasets.load(f"folder:{tmp_path / 'classes'}", "test")
