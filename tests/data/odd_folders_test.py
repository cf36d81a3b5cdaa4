"""Folders that are not as their owner thinks: each has one right answer."""

import contextlib
import os
import pathlib
import re
import tempfile
import unicodedata

import numpy as np
import pytest
from absl import logging
from PIL import Image

from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data.stores import copies
from keras_resnet.errors import UsageError
from keras_resnet.recipes import Recipe
from keras_resnet.training import checks

SPLITS = ("train", "validation")


@pytest.fixture
def warned(monkeypatch):
    """What is logged, as a list of strings."""
    seen = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *values: seen.append(text % values)
    )
    datasets._warn_of_alike.cache_clear()
    return seen


def _fill(root, **classes):
    """Fills each class with its number of pictures, all different."""
    for number, (name, images) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for i in range(images):
            image = Image.new("RGB", (4, 4), (i, number, len(root.name)))
            image.save(root / name / f"{i}.png")


def _composed(form):
    return unicodedata.normalize(form, "caf\u00e9")


def _link(root):
    _fill(root, cat=5)
    _fill(root.parent / f"{root.name} elsewhere", dog=5)
    (root / "dog").symlink_to(root.parent / f"{root.name} elsewhere" / "dog")


def _validation_lacks_one(root):
    _fill(root / "train", cat=5, dog=5)
    _fill(root / "validation", cat=5)


CASES = {
    "a class of one picture is trained on": (
        lambda root: _fill(root, cat=5, one=1),
        {"train": [4, 1], "validation": [1, 0]},
        "folder:.*validation has no images of 1 classes.*: one[.]",
    ),
    "all classes of one picture": (
        lambda root: _fill(root, cat=1, dog=1),
        "No class has two different images, so none can be held out",
        None,
    ),
    "one class alone is a class": (
        lambda root: _fill(root, cat=5),
        {"train": [4], "validation": [1]},
        None,
    ),
    "validation lacks a class": (
        _validation_lacks_one,
        {"train": [5, 5], "validation": [5, 0]},
        "validation has no images of 1 classes.*: dog[.]",
    ),
    "names that differ by case": (
        lambda root: _fill(root, Cat=5, cat=5),
        {"train": [4, 4], "validation": [1, 1]},
        "The classes 'Cat' and 'cat' are two here, but one folder on",
    ),
    "names that differ by the form of a letter": (
        lambda root: _fill(root, **{_composed("NFC"): 5, _composed("NFD"): 5}),
        {"train": [4, 4], "validation": [1, 1]},
        r"The classes 'cafe\\u0301' and 'caf\\xe9' are two here",
    ),
    "a link to a folder is the folder": (
        _link,
        {"train": [4, 4], "validation": [1, 1]},
        None,
    ),
    "nothing is odd": (
        lambda root: _fill(root, cat=5, dog=5),
        {"train": [4, 4], "validation": [1, 1]},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_has_its_answer(case, tmp_path, warned):
    make, expected, warning = CASES[case]
    make(tmp_path)
    if isinstance(expected, str):
        with pytest.raises(UsageError, match=expected):
            datasets.load(f"folder:{tmp_path}", "train")
        return
    found = {name: datasets.load(f"folder:{tmp_path}", name) for name in SPLITS}
    checks.check_data(found, Recipe())
    for name, counts in expected.items():
        held = np.bincount(found[name].labels, minlength=len(counts))
        assert held.tolist() == counts
    assert len(warned) == (warning is not None), warned
    assert warning is None or re.search(warning, warned[0])


def test_a_link_is_a_copy_of_its_file(tmp_path):
    _fill(tmp_path, cat=6)
    for i in range(6):
        link = tmp_path / "cat" / f"link{i}.png"
        link.symlink_to(tmp_path / "cat" / f"{i}.png")
    split = datasets.load(f"folder:{tmp_path}?validation=0.5", "validation")
    names = {os.path.basename(split.describe(i)) for i in range(6)}
    assert len(names) == 6
    assert all(f"link{n}" in names for n in names if not n.startswith("link"))


@contextlib.contextmanager
def _as_nobody():
    """Gives up root for a while, because root may read everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_what_may_not_be_opened_is_named(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        _fill(root, cat=5, dog=5)
        (root / "cat" / "3.png").chmod(0)
        with _as_nobody():
            split = datasets.load(f"folder:{root}", "train")
            both = {
                s.describe(i): bad_images.reason(s, i)
                for s in (split, datasets.load(f"folder:{root}", "validation"))
                for i in range(s.num_examples)
            }
        assert "Permission denied" in both.pop(str(root / "cat" / "3.png"))
        assert set(both.values()) == {None} and len(both) == 9
        (root / "dog").chmod(0)
        with _as_nobody(), pytest.raises(UsageError, match="Cannot list.*dog"):
            datasets.load(f"folder:{root}", "train")


def test_copies_are_told_from_files_that_are_nearly_equal(tmp_path):
    """They have one size: the middle or else all bytes tell them apart."""
    body = bytes(20_000)
    contents = [
        body,
        body,
        body[:-1] + b"x",  # another end
        b"x" + body[1:],  # another start
        body[:10_000] + b"x" + body[10_001:],  # another middle
        b"",
        b"",
        b"alone",
    ]
    paths = [os.fsencode(tmp_path / str(i)) for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        with open(path, "wb") as file:
            file.write(content)
    assert copies.group(paths).tolist() == [0, 0, 2, 3, 4, 5, 6, 7]
    assert copies.group(paths, [0]).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    # A file that has changed is read again, even if its size has not.
    with open(paths[2], "wb") as file:
        file.write(body)
    os.utime(paths[2], ns=(1, 1))  # file times are coarse
    assert copies.group(paths).tolist() == [0, 0, 0, 3, 4, 5, 6, 7]
    os.unlink(paths[1])
    assert copies.group(paths).tolist() == [0, 1, 0, 3, 4, 5, 6, 7]
