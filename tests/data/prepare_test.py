"""Folders and Fashion-MNIST become data sets of TFDS, without a download."""

import gzip
import hashlib
import importlib.resources
import os
import pathlib
import shutil
import sys

import numpy as np
import odd_images
import pytest

from keras_resnet.data import datasets
from keras_resnet.data.survey import prepare
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError

DEBIAN = pathlib.Path(prepare.FASHION_MNIST)
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "clean"
    odd_images.write_clean(root)
    return root


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def prepared(request, root, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp(request.param)
    name = f"odd_{request.param}"
    done = prepare.folder(
        root, name, data_dir=data_dir, file_format=request.param
    )
    return done, data_dir


def _contents(split):
    """Pairs of sha256 and class name, sorted."""
    read = scanning.reader(split)
    examples = (read(index) for index in range(split.num_examples))
    return sorted(
        (hashlib.sha256(image).hexdigest(), split.class_names[label])
        for image, label in examples
    )


def _files(folder):
    found = []
    for path, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found.append((digest, os.fsdecode(os.path.basename(path))))
    return sorted(found)


@pytest.mark.parametrize("key", ["train", "validation"])
def test_a_prepared_folder_holds_the_very_files(prepared, root, key):
    done, data_dir = prepared
    split = datasets.load(done.name, key, data_dir=data_dir)
    assert split.class_names == ("empty", "odd", "plain")
    assert split.num_examples == done.num_examples[key]
    assert _contents(split) == _files(root / key)


def test_tfds_reads_it_and_its_file_names(root, tmp_path):
    import tensorflow_datasets as tfds

    prepare.folder(root, "odd_names", data_dir=tmp_path)
    builder = tfds.builder("odd_names", data_dir=tmp_path)
    source = builder.as_data_source(
        split="train", decoders={"image": tfds.decode.SkipDecoding()}
    )
    for example in source:
        path = os.fsencode(root / "train") + b"/" + example["file_name"]
        with open(path, "rb") as file:
            assert file.read() == example["image"]
    names = {os.path.basename(example["file_name"]) for example in source}
    assert odd_images.NOT_UTF8 in names
    assert "apache_beam" not in sys.modules


def test_a_second_time_does_nothing(prepared, root):
    done, data_dir = prepared
    files = {p: p.stat().st_mtime_ns for p in done.folder.iterdir()}
    again = prepare.folder(root, done.name, data_dir=data_dir)
    assert (done.was_there, again.was_there) == (False, True)
    assert again.num_examples == done.num_examples
    assert files == {p: p.stat().st_mtime_ns for p in done.folder.iterdir()}


def test_an_unreadable_file_is_named_and_nothing_is_left(root, tmp_path):
    odd_images.write_dirty(root, tmp_path / "dirty")
    data_dir = tmp_path / "tfds"
    with pytest.raises(
        UsageError, match="bomb.png: its header|animated.webp: it is"
    ):
        prepare.folder(tmp_path / "dirty", "dirty", data_dir=data_dir)
    left = [path for path in data_dir.rglob("*") if path.is_file()]
    assert not left


@pytest.mark.parametrize(
    "name, message",
    [
        (None, "lower-case letters"),
        ("My Pets", "lower-case letters"),
        ("cifar10", "of its own"),
        ("digits", "of its own"),
        ("stanford_dogs", "of its own"),
    ],
)
def test_a_name_that_cannot_be_found_again_is_refused(root, name, message):
    with pytest.raises(UsageError, match=message):
        prepare.folder(root, name, data_dir="/nowhere")


def test_missing_files_name_the_package(tmp_path):
    with pytest.raises(UsageError, match="apt-get install dataset-fashion"):
        prepare.fashion_mnist(tmp_path, data_dir=tmp_path / "tfds")


def _published():
    """TFDS's own list: {file: (bytes, sha256)}."""
    package = importlib.resources.files("tensorflow_datasets")
    table = package / "url_checksums" / "fashion_mnist.txt"
    rows = (line.split() for line in table.read_text().splitlines())
    return {name: (int(size), sha256) for _, size, sha256, name in rows}


@needs_debian
def test_debians_files_become_the_published_ones():
    published = _published()
    assert len(published) == 4
    for name, (size, sha256) in published.items():
        debian = (DEBIAN / name).read_bytes()
        restored = prepare._as_published(name, debian)
        assert len(debian) < len(restored) == size
        assert hashlib.sha256(restored).hexdigest() == sha256
        assert prepare._as_published(name, restored) == restored


@needs_debian
def test_other_files_than_the_published_are_refused(tmp_path):
    for path in DEBIAN.glob("*.gz"):
        shutil.copy(path, tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    data = bytearray(gzip.decompress(labels.read_bytes()))
    data[100] = 9 - data[100]
    labels.write_bytes(gzip.compress(data, mtime=0))
    with pytest.raises(UsageError, match="not the published one"):
        prepare.fashion_mnist(tmp_path, data_dir=tmp_path / "tfds")


@needs_debian
@pytest.mark.large
def test_fashion_mnist_is_what_its_files_say(tmp_path):
    done = prepare.fashion_mnist(data_dir=tmp_path)
    assert done.num_examples == {"train": 60_000, "test": 10_000}
    assert prepare.fashion_mnist(data_dir=tmp_path).was_there
    split = datasets.load("fashion_mnist", "validation", data_dir=tmp_path)
    assert split.class_names[0] == "T-shirt/top"
    assert split.class_names[9] == "Ankle boot"
    pixels = split.pixels.numpy()
    assert (pixels[..., :1] == pixels).all()
    examples = [
        (image[..., 0].tobytes(), int(label))
        for image, label in zip(pixels, split.labels, strict=True)
    ]

    def idx(name, header):
        data = gzip.decompress((DEBIAN / name).read_bytes())
        return np.frombuffer(data, np.uint8, offset=header)

    images = idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = idx("t10k-labels-idx1-ubyte.gz", 8)
    expected = [(i.tobytes(), int(n)) for i, n in zip(images, labels)]
    assert sorted(examples) == sorted(expected)
