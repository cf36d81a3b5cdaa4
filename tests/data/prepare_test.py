"""Folders and Fashion-MNIST become data sets of TFDS, without a download."""

import dataclasses
import functools
import gzip
import hashlib
import importlib.resources
import os
import pathlib
import shutil
import sys

import exif_files
import numpy as np
import odd_images
import pytest
from photographs import encoded
from photographs import photograph
from PIL import Image

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.pixels import decoding
from keras_resnet.data.stores import arrays
from keras_resnet.data.survey import prepare
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError
from keras_resnet.labels.view import View

DEBIAN = pathlib.Path(prepare.FASHION_MNIST)
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def prepared(request, clean, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp(request.param)
    name = f"odd_{request.param}"
    done = prepare.files(
        f"folder:{clean}", name, data_dir=data_dir, file_format=request.param
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
def test_a_prepared_folder_holds_the_very_files(prepared, clean, key):
    done, data_dir = prepared
    split = datasets.load(done.name, key, data_dir=data_dir)
    assert split.class_names == ("empty", "odd", "plain")
    assert split.num_examples == done.num_examples[key]
    assert _contents(split) == _files(clean / key)


def test_tfds_reads_it_and_its_file_names(clean, tmp_path):
    import tensorflow_datasets as tfds

    prepare.files(f"folder:{clean}", "odd_names", data_dir=tmp_path)
    builder = tfds.builder("odd_names", data_dir=tmp_path)
    source = builder.as_data_source(
        split="train", decoders={"image": tfds.decode.SkipDecoding()}
    )
    for example in source:
        path = os.fsencode(clean / "train") + b"/" + example["file_name"]
        with open(path, "rb") as file:
            assert file.read() == example["image"]
    names = {os.path.basename(example["file_name"]) for example in source}
    assert odd_images.NOT_UTF8 in names
    assert "apache_beam" not in sys.modules


def _held_out(root):
    """The names of a folder of classes and of a table of the same files."""
    rows = ["path,label"]
    for i in range(10):
        file = root / "photos" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 0, 0)).save(file)
        rows.append(f"{file},{file.parent.name}")
    (root / "photos.csv").write_text("\n".join(rows))
    return [f"folder:{root / 'photos'}", f"csv:{root / 'photos.csv'}"]


def test_what_training_holds_out_is_a_split(tmp_path):
    for dataset in _held_out(tmp_path):
        name = dataset.partition(":")[0]
        done = prepare.files(dataset, f"own_{name}", data_dir=tmp_path)
        assert done.num_examples == {"train": 8, "validation": 2}
        for key in done.num_examples:
            split = datasets.load(done.name, key, data_dir=tmp_path)
            assert _contents(split) == _contents(datasets.load(dataset, key))
    several = tmp_path / "several.csv"
    table = (tmp_path / "photos.csv").read_text()
    several.write_text(table.replace("label", "labels"))
    with pytest.raises(UsageError, match="any number of classes an image"):
        prepare.files(f"csv:{several}", "several", data_dir=tmp_path)


def test_a_second_time_does_nothing(prepared, clean):
    done, data_dir = prepared
    files = {p: p.stat().st_mtime_ns for p in done.folder.iterdir()}
    again = prepare.files(f"folder:{clean}", done.name, data_dir=data_dir)
    assert (done.was_there, again.was_there) == (False, True)
    assert again.num_examples == done.num_examples
    assert files == {p: p.stat().st_mtime_ns for p in done.folder.iterdir()}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of 120 x 90, turned, of 40 x 30, 60 x 90 (PNG) and 9 x 9."""
    root = tmp_path_factory.mktemp("photographs")
    large = encoded(photograph("china.jpg", 120, 90), quality=98)
    for name, data in {
        "train/a/0.jpg": exif_files.turned(6, large),
        "train/a/1.jpg": encoded(photograph("china.jpg", 40, 30)),
        "train/a/2.png": encoded(photograph("china.jpg", 60, 90), "PNG"),
        "validation/a/3.png": encoded(photograph("china.jpg", 9, 9), "PNG"),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_larger_pictures_are_stored_smaller(photos, tmp_path):
    source, options = f"folder:{photos}", {"data_dir": tmp_path}
    done = prepare.files(source, "own", shorter_side=48, **options)
    text = str(done.savings)
    assert text.startswith("2 of 4 pictures shrunk to a shorter side of 48")
    split = datasets.load("own", "train", **options)
    files = [scanning.reader(split)(index)[0] for index in range(3)]
    stored = {decoding.decode(file).shape: file for file in files}
    # A smaller picture is neither enlarged nor encoded again.
    assert stored[(30, 40, 3)] == (photos / "train/a/1.jpg").read_bytes()
    assert set(stored) == {(30, 40, 3), (48, 64, 3), (72, 48, 3)}
    # A shrunk picture keeps its orientation, in its own EXIF note.
    large = stored[(48, 64, 3)]
    assert decoding.decode(large, "apply").shape == (64, 48, 3)
    picture = Image.fromarray(photograph("china.jpg", 120, 90))
    expected = np.asarray(picture.resize((64, 48), Image.Resampling.BILINEAR))
    found = decoding.decode(large).numpy().astype(float)
    assert np.abs(found - expected).mean() < 4
    assert np.abs(found - expected[::-1]).mean() > 20
    again = prepare.files(source, "own", shorter_side=48, **options)
    assert again.was_there and again.savings is None
    for side in (None, 64):
        with pytest.raises(UsageError, match="prepared with shorter_side=48"):
            prepare.files(source, "own", shorter_side=side, **options)


def test_no_crop_asks_for_more_pixels_than_are_stored(photos):
    split = datasets.load(f"folder:{photos}", "train")
    stored = dataclasses.replace(split, shorter_side=48)
    fields = {"image_size": 32, "eval_resize": 40, "scale_range": (40, 48)}
    recipe = recipes.Recipe(augmentation="scale_crop", **fields)
    read = functools.partial(pipeline.train_dataset, fill=(0,) * 3)
    read(stored, recipe)
    for field, value in (("scale_range", (40, 49)), ("eval_resize", 49)):
        wider = dataclasses.replace(recipe, **{field: value})
        read(split, wider)
        with pytest.raises(UsageError, match=f"{field}=49"):
            read(stored, wider)
    with pytest.raises(UsageError, match="eval_resize=50"):
        pipeline.eval_dataset(stored, View(resize=50, crop=32), batch_size=1)
    # An augmentation that does not scale is not checked.
    fields |= {"augmentation": "area_crop", "scale_range": (40, 90)}
    read(stored, recipes.Recipe(**fields))


def test_an_unreadable_file_is_named_and_nothing_is_left(dirty, tmp_path):
    data_dir = tmp_path / "tfds"
    with pytest.raises(
        UsageError, match="bomb.png: its header|animated.webp: it is"
    ):
        prepare.files(f"folder:{dirty}", "dirty", data_dir=data_dir)
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
def test_a_name_that_cannot_be_found_again_is_refused(clean, name, message):
    with pytest.raises(UsageError, match=message):
        prepare.files(f"folder:{clean}", name, data_dir="/nowhere")


def test_missing_files_name_the_package(tmp_path):
    with pytest.raises(UsageError, match="apt-get install dataset-fashion"):
        prepare.fashion_mnist(tmp_path, data_dir=tmp_path / "tfds")


@needs_debian
def test_debians_files_hold_what_the_published_ones_do():
    """TFDS lists the sha256 of files with a header that Debian left out."""
    package = importlib.resources.files("tensorflow_datasets")
    table = package / "url_checksums" / "fashion_mnist.txt"
    rows = [line.split() for line in table.read_text().splitlines()]
    assert len(rows) == 4
    for _, size, sha256, name in rows:
        data = (DEBIAN / name).read_bytes()
        # When gzip packed them, in seconds since 1970.
        time = 1504176606 if name.startswith("train") else 1504176627
        named = name.removesuffix(".gz").encode() + b"\0"
        head = b"\x08" + time.to_bytes(4, "little") + data[8:10]
        published = data[:3] + head + named + data[10:]
        assert len(published) == int(size)
        assert hashlib.sha256(published).hexdigest() == sha256
    arrays.check_fashion_mnist(DEBIAN)


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

    files = arrays.load("fashion_mnist", "validation", DEBIAN)
    expected = [
        (image[..., 0].tobytes(), int(label))
        for image, label in zip(files.images, files.labels, strict=True)
    ]
    assert sorted(examples) == sorted(expected)
