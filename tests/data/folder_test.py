"""Image folders: every image once, whatever its name, and few bytes a file."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data.pixels import decoding
from keras_resnet.data.stores import folder as folder_lib
from keras_resnet.training import checks


def _examples(split):
    """(pixels, label) of each example, read in a graph and in order."""

    def read(index):
        encoded, label = split.read(index)
        return decoding.decode(encoded), label

    dataset = tf.data.Dataset.range(split.num_examples).map(read)
    return list(dataset.as_numpy_iterator())


def _save(path, color, size=(12, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def folder(tmp_path):
    for split, n in (("train", 3), ("validation", 2)):
        for i in range(n):
            _save(tmp_path / split / "cat" / f"{i}.png", (i, 0, 1))
            _save(tmp_path / split / "ant eater" / f"{i}.JPEG", (i, 200, 1))
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.fixture
def warnings(monkeypatch):
    """What is logged, as a list of strings."""
    seen = []
    monkeypatch.setattr(
        folder_lib.logging,
        "warning",
        lambda text, *values: seen.append(text % values),
    )
    return seen


def test_folder_labels_follow_the_sorted_class_names(folder):
    split = datasets.load(f"folder:{folder}", "train")
    assert split.class_names == ("ant eater", "cat")
    assert split.num_examples == 6
    assert list(split.labels) == [0, 0, 0, 1, 1, 1]
    for index, (image, label) in enumerate(_examples(split)):
        assert image.shape == (9, 12, 3)
        assert (image[0, 0, 1] > 100) == (label == 0)
        name = pathlib.Path(split.describe(index))
        assert name.parent.name == split.class_names[label]


NAMES = [
    b"\xff\xfe.png",
    b"with a space.png",
    b"[0-9]*?.png",
    b"two\nlines.png",
    b"-f.png",
    b"{split}%s.png",
    "\u00e9\u4e2d.png".encode(),
    b"x" * 251 + b".png",
    b"UPPER.PNG",
    b"a.bmp",
    b"a.gif",
    b"a.WebP",
    b"a.Jpeg",
]


def test_any_name_is_read(folder):
    where = os.fsencode(folder / "train" / "cat")
    for red, name in zip(range(100, 250, 11), NAMES, strict=False):
        _save(pathlib.Path(os.fsdecode(where + b"/" + name)), (red, 0, 0))
    (folder / "train" / "cat").rename(folder / "train" / "c [a] t")
    shutil.rmtree(folder / "validation" / "cat")
    split = datasets.load(f"folder:{folder}", "train")
    found = {
        os.fsencode(os.path.basename(split.describe(index))): image[0, 0, 0]
        for index, (image, _) in enumerate(_examples(split))
    }
    assert split.num_examples == 6 + len(NAMES)
    for red, name in zip(range(100, 250, 11), NAMES, strict=False):
        # All but PNG and BMP are lossy.
        assert abs(int(found[name]) - red) <= 5


def test_what_is_no_image_is_counted_and_reported(folder, warnings):
    datasets.load(f"folder:{folder}", "validation")
    assert not warnings  # all are images there
    cat = folder / "train" / "cat"
    _save(cat / ".hidden.png", 0)
    (cat / "folder.png").mkdir()
    (cat / "circle.png").symlink_to("circle.png")
    (folder / "train" / ".git").mkdir()
    (folder / "train" / "circle").symlink_to("circle")
    (folder / "train" / "README.md").write_text("no class")
    split = datasets.load(f"folder:{folder}", "train")
    assert split.class_names == ("ant eater", "cat")
    assert split.num_examples == 6
    assert any("1 hidden folders" in text for text in warnings)
    assert any("4 entries of the class" in text for text in warnings)


def test_a_link_to_a_file_or_folder_is_followed_once(folder):
    train = folder / "train"
    (train / "cat" / "9.png").symlink_to(train / "cat" / "0.png")
    (train / "dog").symlink_to(train / "cat")
    (train / "dog" / "up").symlink_to(train)
    split = datasets.load(f"folder:{folder}", "train")
    assert split.class_names == ("ant eater", "cat", "dog")
    assert split.num_examples == 3 + 4 + 4


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda f: (f / "train").rename(f / "training"), "holds no images"),
        (lambda f: _save(f / "validation/dog/1.png", 0), "lacks: dog"),
        (
            lambda f: [p.unlink() for p in f.glob("validation/*/*")],
            "holds no images",
        ),
        (
            lambda f: [p.rename(f / p.name) for p in f.glob("train/*")],
            "without images: train, validation. Remove them; if they are",
        ),
    ],
)
def test_folder_errors_say_what_is_expected(folder, break_it, message):
    break_it(folder)
    with pytest.raises(errors.UsageError, match=message):
        datasets.load(f"folder:{folder}", "validation")


def test_a_link_that_leads_nowhere_is_an_image_that_is_lost(folder):
    cat = folder / "train" / "cat"
    (cat / "broken.png").symlink_to("nowhere.png")
    split = datasets.load(f"folder:{folder}", "train")
    assert split.num_examples == 7
    names = [split.describe(i) for i in range(7)]
    index = names.index(str(cat / "broken.png"))
    with pytest.raises(tf.errors.NotFoundError):
        split.read(tf.constant(index, tf.int64))


def test_an_empty_class_is_refused_by_name_where_it_would_be_trained(folder):
    (folder / "train" / "dog").mkdir()
    (folder / "train" / "dog" / "x.tiff").write_text("")
    split = datasets.load(f"folder:{folder}", "train")
    with pytest.raises(errors.UsageError, match="1 of 3 classes .*: dog. Put"):
        checks.check_classes(split)
    (folder / "train" / "dog").joinpath("x.tiff").unlink()
    (folder / "train" / "dog").rmdir()
    checks.check_classes(datasets.load(f"folder:{folder}", "train"))


@pytest.mark.parametrize("scheme", ["ram://", "file://"])
def test_paths_with_a_scheme_are_read_as_local_ones(folder, scheme):
    local = datasets.load(f"folder:{folder}", "train")
    root = f"{scheme}{folder}"
    if scheme == "ram://":
        for path in folder.glob("train/*/*"):
            copy = f"{scheme}{path}"
            tf.io.gfile.makedirs(os.path.dirname(copy))
            tf.io.gfile.GFile(copy, "wb").write(path.read_bytes())
    remote = datasets.load(f"folder:{root}", "train")
    assert remote.class_names == local.class_names
    assert remote.num_examples == local.num_examples
    assert remote.describe(0) == f"{root}/train/ant eater/0.JPEG"
    for a, b in zip(_examples(local), _examples(remote), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert a[1] == b[1]
    with pytest.raises(errors.UsageError, match="There is no folder"):
        datasets.load(f"folder:{root}/nowhere", "train")


def test_the_names_of_many_files_are_not_in_the_graph(tmp_path):
    # One class of many files, and many classes of one: both cross the chunks.
    for name, count in (("many", 13_000), *((f"c{i}", 1) for i in range(150))):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(count):
            (tmp_path / "train" / name / f"image_{i:06d}.png").touch()
    (tmp_path / "validation" / "many").mkdir(parents=True)
    split = datasets.load(f"folder:{tmp_path}", "train")
    assert split.num_examples == 13_150
    spec = tf.TensorSpec((), tf.int64)
    function = tf.function(split.read).get_concrete_function(spec)
    graph = function.graph.as_graph_def().SerializeToString()
    assert b"image_0" not in graph
    assert len(graph) < 20_000
    for index in (0, 149, 150, 151, 249, 250, 13_149):
        path = pathlib.Path(split.describe(index))
        assert path.is_file()
        assert path.parent.name == split.class_names[split.labels[index]]
    assert split.describe(13_149).endswith("many/image_012999.png")
