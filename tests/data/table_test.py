"""A CSV file of pictures is read as its owner wrote it, or refused by line."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data import datasets
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twelve pictures in a folder; tests write their tables beside it."""
    root = tmp_path_factory.mktemp("table")
    (root / "images, 1").mkdir()
    for i in range(12):
        Image.new("RGB", (6, 8), (20 * i, 0, 1)).save(root / _name(i))
    return root


def _name(i):
    return f"images, 1/{i}.png"


def _rows(text, *rows):
    return "\n".join([text, *rows])


def _write(root, text, name="photos.csv"):
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"csv:{path}"


def _classes(root, dataset, split):
    """{path below the folder: names of its classes} of a split."""
    found = datasets.load(dataset, split)
    names = {}
    for index in range(found.num_examples):
        image, label = found.read(index)
        path = found.describe(index)
        assert image.numpy() == open(path, "rb").read()
        np.testing.assert_array_equal(label, found.labels[index])
        which = np.flatnonzero(label) if found.multi_label else [int(label)]
        names[os.path.relpath(path, root)] = [
            found.class_names[i] for i in which
        ]
    return names


@pytest.mark.parametrize(
    "text",
    [
        'path,label,split\n"images, 1/0.png",cat,train\n'
        '"images, 1/1.png","d,og",validation\n"images, 1/2.png","d,og",train\n',
        '\ufeffpath , label,split\r\n"images, 1/0.png", cat ,train\r\n\r\n'
        '"images, 1/1.png","d,og",val\r\n"images, 1/2.png","d,og",train',
        'split,label,path\ntrain,cat,"./images, 1/0.png"\n'
        'test,"d,og","images, 1/1.png"\ntrain,"d,og",ABSOLUTE/images",.png',
    ],
    ids=["plain", "byte-order mark, CRLF, blanks", "another order, absolute"],
)
def test_a_table_of_one_class_each(root, text):
    absolute = f'"{root}/images, 1/2.png"'
    text = text.replace('ABSOLUTE/images",.png', absolute)
    dataset = _write(root, text)
    assert _classes(root, dataset, "train") == {
        _name(0): ["cat"],
        _name(2): ["d,og"],
    }
    assert _classes(root, dataset, "validation") == {_name(1): ["d,og"]}
    split = datasets.load(dataset, "train")
    assert split.labels.dtype == np.int32 and not split.multi_label
    assert scanning.file_name(split, 0) == _name(0)


def test_a_column_labels_has_any_number_of_classes(root):
    labels = ["cat|dog", "", "dog", "고양이 | cat", "cat", "cat"]
    rows = [f'"{_name(i)}",{text}' for i, text in enumerate(labels)]
    dataset = _write(root, _rows("path,labels", *rows))
    both = {
        split: _classes(root, dataset + "?validation=0.3", split)
        for split in ("train", "validation")
    }
    assert not set(both["train"]) & set(both["validation"])
    assert both["train"] | both["validation"] == {
        _name(0): ["cat", "dog"],
        _name(1): [],
        _name(2): ["dog"],
        _name(3): ["cat", "고양이"],
        _name(4): ["cat"],
        _name(5): ["cat"],
    }
    assert datasets.load(dataset, "train").multi_label


def test_without_a_split_a_part_is_held_out_and_copies_stay_together(root):
    for i in range(12):
        shutil.copy(root / _name(i), root / f"copy{i}.png")
    names = [*map(_name, range(12)), *(f"copy{i}.png" for i in range(12))]
    rows = [f'"{name}",{"ab"[i % 2]}' for i, name in enumerate(names)]
    dataset = _write(root, _rows("path,label", *rows))
    for seed in range(4):
        query = f"{dataset}?validation=0.3&seed={seed}"
        held = _classes(root, query, "validation")
        numbers = {
            split: {
                open(root / name, "rb").read()
                for name in _classes(root, query, split)
            }
            for split in ("train", "validation")
        }
        assert not numbers["train"] & numbers["validation"]
        assert sum(held.values(), []).count("a") == len(held) / 2 == 4
    # A split column that says only "train" changes nothing.
    rows = [f"{row},train" for row in rows]
    same = _write(root, _rows("path,label,split", *rows), "same.csv")
    assert _classes(root, f"{same}?validation=0.3&seed=3", "validation") == held


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "photos.csv' is empty"),
        ("file,label\n", "path,label or path,labels .* Received: 'file,label'"),
        ("path,label,labels\na,b,c", "Received: 'path,label,labels'"),
        ("path,label,splt\na,b,train", "Received: 'path,label,splt'"),
        ("path,path,label\na,a,b", "Received: 'path,path,label'"),
        ("path,label\n", "no rows below its first line"),
        (" \n", "photos.csv' is empty"),
        ("path;label\nA;a", "with commas in between.*Received: 'path;label'"),
        ("path,label\n0.png\n", "Line 2 .* has 1 fields; the first line has 2"),
        ("path,label\nimages, 1/0.png,a", "Line 2 .* 3 fields.*into quotes"),
        ("path,label\nA,\n", "Line 2 .* has a class without a name"),
        ("path,labels\nA,cat||dog\n", "Line 2 .* has a class without a name"),
        ("path,label\nA,cat|dog\n", "Line 2 .* 'cat|dog'.*call the column lab"),
        ("path,labels\nA,\n", "has no class in any row that is trained on"),
        ("path,label,split\nA,a,train\nB,b,", "Line 3 .* has no split"),
        ("path,label,split\nA,a,train\nB,b,val", "Line 3 .* no row of train"),
        ("path,label,split\nA,a,train\nB,a,dev", "no rows of .*validation. It"),
        ("path,label,split\nA,a,dev\nB,a,val", "no rows of the split train"),
        ("path,label\nA,a\nA,b", "Line 3 .* has the path of line 2: "),
        ('path,label\nA,"a', "Line 2 of .*photos.csv' cannot be read: unex"),
        (b"path,label\nA,\xff", "^Line 2 of .*photos.csv' is not in UTF-8"),
        (
            "path,label,split\nA,a\x07b,train\nB,a\x07b,val",
            "Class 0 of csv:.*U[+]0007",
        ),
        (
            "path,label\nA,a\n" + "".join(f"n{i},a\n" for i in range(7)),
            "lists what is no file .line 3: '/?[^;]*n0'; .*line 7: .*n4' and 2",
        ),
        ("path,label\n.,a", "lists what is no file .line 2: "),
        ("path,label\nA\0,a", r"lists what is no file .line 2: .*png\\x00'[)]"),
    ],
)
def test_what_cannot_be_is_refused_by_line(root, text, message):
    text = text if isinstance(text, bytes) else text.encode()
    for letter, i in ((b"A", 0), (b"B", 1)):
        for end in (b",", b"\0"):
            old = b"\n" + letter + end
            text = text.replace(old, f'\n"{_name(i)}'.encode() + end)
    text = text.replace(b".png,", b'.png",').replace(b".png\0,", b'.png\0",')
    with pytest.raises(UsageError, match=message) as caught:
        datasets.load(_write(root, text), "validation")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_or_has_its_split_is_told(root):
    with pytest.raises(UsageError, match="There is no CSV file .*none.csv'"):
        datasets.load(f"csv:{root / 'none.csv'}", "train")
    os.mkfifo(root / "pipe.csv")
    for no_file, kind in (("pipe.csv", "pipe"), ("images, 1", "folder")):
        message = f"Cannot read .*{no_file}': it is a {kind}, not a file"
        with pytest.raises(UsageError, match=message):
            datasets.load(f"csv:{root / no_file}", "train")
    rows = [f'"{_name(0)}",a,train', f'"{_name(1)}",a,val']
    dataset = _write(root, _rows("path,label,split", *rows))
    assert datasets.load(dataset, "val").num_examples == 1
    with pytest.raises(UsageError, match="has a column split, so nothing is"):
        datasets.load(f"{dataset}?seed=1", "train")
    with pytest.raises(UsageError, match="no rows of the split third. It has"):
        datasets.load(dataset, "third")


def test_a_table_on_a_remote_store_is_as_a_local_one(root):
    """A local table may list remote files, too."""
    rows = [
        f"{i}.png,{'ab'[i % 2]},{('train', 'val')[i > 3]}" for i in range(6)
    ]
    store = "ram://bucket/"
    for i in range(6):
        with tf.io.gfile.GFile(f"{store}{i}.png", "wb") as file:
            file.write((root / _name(i)).read_bytes())
    text = _rows("path,label,split", *rows)
    with tf.io.gfile.GFile(f"{store}photos.csv", "w") as file:
        file.write(text)
    beside = _write(root, _rows("path,label,split", *(store + r for r in rows)))
    assert datasets.name_of(f"{store}photos.csv") == f"csv:{store}photos.csv"
    assert datasets.name_of(f"{store}photos/") == f"folder:{store}photos"
    for dataset in (f"csv:{store}photos.csv", beside):
        split = datasets.load(dataset, "val")
        assert split.describe(1) == f"{store}5.png"
        for index, i in enumerate((4, 5)):
            image, label = split.read(tf.constant(index, tf.int64))
            assert image.numpy() == (root / _name(i)).read_bytes()
            assert label == i % 2
    beside = _write(root, f"path,label\n{store}0.png,a\n{store}1.png,a\n")
    with pytest.raises(UsageError, match="not on this machine.*column split"):
        datasets.load(beside, "train")
    with pytest.raises(UsageError, match="Cannot read 'ram://bucket/no.csv'"):
        datasets.load(f"csv:{store}no.csv", "train")
