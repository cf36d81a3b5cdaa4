"""Data sets by name: the digits and TFDS."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data import transforms
from keras_resnet.data.stores import memory
from keras_resnet.data.stores import tfds


def _examples(split):
    for index in range(split.num_examples):
        image, label = split.read(tf.constant(index, tf.int64))
        if image.dtype == tf.string:
            image = transforms.decode(image)
        yield image.numpy(), int(label)


def test_digits_are_scikit_learns_and_split_in_two():
    theirs = load_digits()
    seen = []
    for name, size in (("train", 1438), ("validation", 359)):
        split = datasets.load("digits", name)
        assert split.num_examples == size
        assert split.class_names == tuple("0123456789")
        seen += [(i[..., 0].tobytes(), label) for i, label in _examples(split)]
    pixels = np.round(theirs.images * 255 / 16).astype(np.uint8)
    expected = [(p.tobytes(), t) for p, t in zip(pixels, theirs.target)]
    assert sorted(seen) == sorted(expected)


def test_digits_statistics_are_those_of_the_train_split():
    images = [image for image, _ in _examples(datasets.load("digits", "train"))]
    info = datasets.DATASETS["digits"]
    assert np.mean(images) == pytest.approx(info.pixel_mean[0], abs=0.05)
    assert np.std(images) == pytest.approx(info.pixel_std[0], abs=0.05)


def test_damaged_digits_are_refused(monkeypatch, tmp_path):
    data = bytearray(memory.DIGITS.read_bytes())
    data[1000] ^= 1
    path = tmp_path / "digits.npz"
    path.write_bytes(data)
    monkeypatch.setattr(memory, "DIGITS", path)
    with pytest.raises(errors.UsageError, match="damaged"):
        datasets.load("digits", "train")


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def tfds_dir(request, tmp_path_factory):
    import tensorflow_datasets as tfds

    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis] * 15

    def split(part):
        examples = {"image": images[part], "label": digits.target[part]}
        return tf.data.Dataset.from_tensor_slices(examples)

    data_dir = tmp_path_factory.mktemp(request.param)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_digits",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(8, 8, 1)),
                "label": tfds.features.ClassLabel(names=list("0123456789")),
            }
        ),
        split_datasets={
            "train": split(slice(40)),
            "test": split(slice(40, 60)),
        },
        data_dir=data_dir,
        file_format=request.param,
        disable_shuffling=True,
    )
    return data_dir, request.param, images, digits.target


def _check_tiny_digits(split, images, labels):
    examples = list(_examples(split))
    assert [label for _, label in examples] == list(labels[40:60])
    for (image, _), expected in zip(examples, images[40:60], strict=True):
        np.testing.assert_array_equal(image, np.repeat(expected, 3, axis=-1))


def test_tfds_by_name_gives_each_example_once(tfds_dir):
    data_dir, _, images, labels = tfds_dir
    split = datasets.load("tiny_digits", "validation", data_dir=data_dir)
    assert split.name == "tiny_digits/test"
    assert split.class_names == tuple("0123456789")
    _check_tiny_digits(split, images, labels)


def test_large_tfds_is_read_example_by_example(tfds_dir, monkeypatch):
    data_dir, file_format, images, labels = tfds_dir
    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", 0)
    split = datasets.load("tiny_digits", "validation", data_dir=data_dir)
    assert split.labels is None
    assert (split.blocks is not None) == (file_format == "tfrecord")
    _check_tiny_digits(split, images, labels)


def test_unknown_data_set_names_the_nearest():
    with pytest.raises(errors.UsageError, match="Did you mean 'cifar10'"):
        datasets.load("cifar11", "train")


def test_missing_tfds_split_is_named(tfds_dir):
    with pytest.raises(errors.UsageError, match="no split 'validation'"):
        data_dir, *_ = tfds_dir
        import tensorflow_datasets as tfds

        name = f"only_train_{tfds_dir[1]}"
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=tfds.features.FeaturesDict({"x": np.int64}),
            split_datasets={
                "train": tf.data.Dataset.from_tensors({"x": np.int64(1)})
            },
            data_dir=data_dir,
        )
        datasets.load(name, "validation", data_dir=data_dir)
