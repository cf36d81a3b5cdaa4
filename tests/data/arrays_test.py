"""Data sets as arrays, read from their authors' files, and their draws."""

import dataclasses
import gzip
import pathlib
import struct

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import catalog
from keras_resnet.data import datasets
from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import draws
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import training_views
from keras_resnet.data.pixels import windows
from keras_resnet.data.stores import arrays
from keras_resnet.errors import UsageError

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")  # Debian's


def _write_idx(path, values):
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim,
                         *values.shape)  # fmt: skip
    path.write_bytes(gzip.compress(header + values.tobytes()))


@pytest.fixture
def idx(tmp_path):
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    _write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", images)
    labels = np.array([9, 1], np.uint8)
    _write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", labels)
    return tmp_path, images


def test_idx_files_become_grey_images_by_either_way(idx):
    folder, images = idx
    split = arrays.load("fashion_mnist", "validation", folder)
    np.testing.assert_array_equal(split.images, np.stack([images] * 3, -1))
    assert split.labels.tolist() == [9, 1]
    assert split.class_names[9] == "Ankle boot"
    same = datasets.load("fashion_mnist", "validation", data_dir=folder)
    np.testing.assert_array_equal(same.pixels, split.images)
    assert same.labels.tolist() == [9, 1]


def test_a_file_that_is_cut_or_missing_is_named(idx):
    folder, _ = idx
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(UsageError, match="not an IDX file of 3 dimensions"):
        arrays.load("mnist", "validation", folder)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match="is damaged"):
        arrays.load("mnist", "validation", folder)
    with pytest.raises(UsageError, match="Cannot read .*train-images"):
        arrays.load("mnist", "train", folder)
    with pytest.raises(UsageError, match="needs --data_dir"):
        arrays.load("mnist", "train")


def test_cifars_planes_become_colours(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    rows = b"".join(
        bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip((3, 7), pixels, strict=True)
    )
    (tmp_path / "test_batch.bin").write_bytes(rows)
    split = arrays.load("cifar10", "validation", tmp_path)
    np.testing.assert_array_equal(split.images, pixels)
    names = [split.class_names[label] for label in split.labels]
    assert names == ["cat", "horse"]
    (tmp_path / "test_batch.bin").write_bytes(rows[:-1])
    with pytest.raises(UsageError, match="binary version"):
        arrays.load("cifar10", "validation", tmp_path)


@pytest.mark.skipif(not FASHION.is_dir(), reason="dataset-fashion-mnist")
def test_fashion_mnist_has_the_mean_that_the_network_subtracts():
    split = arrays.load("fashion_mnist", "train", FASHION)
    assert split.images.shape == (60_000, 28, 28, 3)
    assert np.bincount(split.labels).tolist() == [6_000] * 10
    mean = catalog.info("fashion_mnist").pixel_mean[0]
    assert split.images.mean() == pytest.approx(mean, abs=0.1)


def test_some_examples_are_those_of_the_other_loop():
    ours = arrays.evenly_spaced(arrays.load("digits", "train"), 100)
    theirs = splits.evenly_spaced(datasets.load("digits", "train"), 100)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(ours.images, theirs.pixels)
    with pytest.raises(UsageError, match="1438 examples"):
        arrays.evenly_spaced(arrays.load("digits", "train"), 1439)


@pytest.mark.parametrize("augmentation", ["cifar", "area_crop_color"])
def test_numbers_in_numpy_are_those_of_the_graph_to_the_bit(augmentation):
    recipe = dataclasses.replace(recipes.Recipe(), augmentation=augmentation)
    seeds = np.random.default_rng(0).integers(-(2**63), 2**63, 500)
    for name, theirs in training_views.draw(tf.constant(seeds), recipe).items():
        ours = draws.uniform(seeds, name)
        np.testing.assert_array_equal(ours, theirs)
        for n in (1, 5, 9):
            np.testing.assert_array_equal(
                draws.integer(ours, n), randomness.integer(theirs, n)
            )
        assert not np.array_equal(draws.uniform(seeds + 1, name), ours)


def test_a_window_takes_as_many_numbers_as_it_says():
    assert draws.COUNTS["window"] == windows.DRAWS
