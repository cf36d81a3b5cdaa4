"""Data sets by name: the digits and TFDS."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data.pixels import decoding
from keras_resnet.data.stores import arrays
from keras_resnet.data.stores import tfds


def _examples(split):
    for index in range(split.num_examples):
        image, label = split.read(tf.constant(index, tf.int64))
        if image.dtype == tf.string:
            image = decoding.decode(image)
        yield image.numpy(), int(label)


def test_digits_are_scikit_learns_and_split_in_two():
    seen = []
    for name, size in (("train", 1438), ("validation", 359)):
        split = datasets.load("digits", name)
        assert split.num_examples == size
        assert split.class_names == tuple("0123456789")
        seen += [(i[..., 0].tobytes(), label) for i, label in _examples(split)]
    pixels = np.round(DIGITS.images * 255 / 16).astype(np.uint8)
    expected = [(p.tobytes(), t) for p, t in zip(pixels, DIGITS.target)]
    assert sorted(seen) == sorted(expected)


def test_digits_statistics_are_those_of_the_train_split():
    images = [image for image, _ in _examples(datasets.load("digits", "train"))]
    info = datasets.DATASETS["digits"]
    assert np.mean(images) == pytest.approx(info.pixel_mean[0], abs=0.05)
    assert np.std(images) == pytest.approx(info.pixel_std[0], abs=0.05)


def test_damaged_digits_are_refused(monkeypatch, tmp_path):
    data = bytearray(arrays.DIGITS.read_bytes())
    data[1000] ^= 1
    path = tmp_path / "digits.npz"
    path.write_bytes(data)
    monkeypatch.setattr(arrays, "DIGITS", path)
    with pytest.raises(errors.UsageError, match="damaged"):
        datasets.load("digits", "train")


def _store(name, data_dir, features, splits, file_format="tfrecord"):
    """Writes {split: {feature: array}} with TFDS, in order."""
    import tensorflow_datasets as library

    library.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=library.features.FeaturesDict(features),
        split_datasets={
            key: tf.data.Dataset.from_tensor_slices(examples)
            for key, examples in splits.items()
        },
        data_dir=data_dir,
        file_format=file_format,
        disable_shuffling=True,
    )


def _digit_features():
    import tensorflow_datasets as library

    return {
        "image": library.features.Image(shape=(8, 8, 1)),
        "label": library.features.ClassLabel(names=list("0123456789")),
    }


DIGITS = load_digits()
IMAGES = DIGITS.images.astype(np.uint8)[..., np.newaxis] * 15


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def tfds_dir(request, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp(request.param)
    splits = {
        key: {"image": IMAGES[part], "label": DIGITS.target[part]}
        for key, part in (("train", slice(40)), ("test", slice(40, 60)))
    }
    features = _digit_features()
    _store("tiny_digits", data_dir, features, splits, request.param)
    return data_dir, request.param


@pytest.fixture(params=["memory", "files"])
def kept(request, monkeypatch):
    """Whether small TFDS data sets are kept in memory or read from files."""
    limit = 0 if request.param == "files" else 1 << 30
    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", limit)
    monkeypatch.setattr(tfds, "MAX_BYTES_DECODED", limit)
    return request.param


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("validation", range(40, 60)),  # the split is called test
        ("train[:10%]", range(4)),
        ("train[10:12]+test[:3]", [10, 11, 40, 41, 42]),
    ],
)
def test_any_split_of_tfds_is_read(tfds_dir, kept, expression, expected):
    data_dir, file_format = tfds_dir
    split = datasets.load("tiny_digits", expression, data_dir=data_dir)
    expression = expression.replace("validation", "test")
    assert split.name == f"tiny_digits/{expression}"
    assert split.class_names == tuple("0123456789")
    labels = DIGITS.target[list(expected)]
    if kept == "memory":
        assert split.pixels.shape == (len(expected), 8, 8, 3)
        np.testing.assert_array_equal(split.labels, labels)
    else:
        assert split.pixels is None and split.labels is None
        assert (split.blocks is not None) == (file_format == "tfrecord")
    examples = list(_examples(split))
    assert [label for _, label in examples] == labels.tolist()
    for index, (image, _) in zip(expected, examples, strict=True):
        same = np.repeat(IMAGES[index], 3, axis=-1)
        np.testing.assert_array_equal(image, same)


@pytest.mark.parametrize(
    "split, message",
    [
        ("tset", "no split 'tset'. It has: .*test"),
        ("train[:10", r"no split 'train\[:10'"),
        ("train[:0]", "is empty"),
    ],
)
def test_a_split_that_tfds_lacks_is_refused(tfds_dir, split, message):
    with pytest.raises(errors.UsageError, match=message):
        datasets.load("tiny_digits", split, data_dir=tfds_dir[0])


def test_a_damaged_record_of_tfds_is_named(tfds_dir, monkeypatch):
    data_dir, file_format = tfds_dir
    if file_format != "tfrecord":
        pytest.skip("array_record has its own checks")
    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(tfds, "MAX_BYTES_DECODED", 0)
    (path,) = data_dir.glob("tiny_digits/1.0.0/*-train.tfrecord*")
    whole = path.read_bytes()
    split = datasets.load("tiny_digits", "train", data_dir=data_dir)
    assert split.describe(39) == f"record 39 of {path}"
    try:
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        with pytest.raises(tf.errors.InvalidArgumentError, match=path.name):
            split.read(tf.constant(39, tf.int64))
        path.write_bytes(whole[:-9])
        with pytest.raises(errors.UsageError, match="cut off"):
            datasets.load("tiny_digits", "train", data_dir=data_dir)
    finally:
        path.write_bytes(whole)
    assert split.read(tf.constant(39, tf.int64))[1] == DIGITS.target[39]


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_a_tfds_example_without_label_is_named(tmp_path, kept, file_format):
    examples = {"image": IMAGES[:5], "label": np.array([0, 1, 0, -1, 1])}
    _store(
        "unlabelled",
        tmp_path,
        _digit_features(),
        {"train": examples},
        file_format,
    )

    def read_all():
        split = datasets.load("unlabelled", "train", data_dir=tmp_path)
        dataset = tf.data.Dataset.range(5).map(split.read)
        list(dataset.as_numpy_iterator())

    wrong = (errors.UsageError, tf.errors.InvalidArgumentError)
    with pytest.raises(wrong, match="example 3"):
        read_all()


def test_a_tfds_data_set_without_images_or_split_is_refused(tmp_path):
    numbers = {"image": np.int64([1]), "label": np.int64([1])}
    features = {"image": np.int64, "label": np.int64}
    _store("numbers", tmp_path, features, {"train": numbers})
    with pytest.raises(errors.UsageError, match="'image' of the kind Image"):
        datasets.load("numbers", "train", data_dir=tmp_path)
    with pytest.raises(errors.UsageError, match="no split 'validation'"):
        datasets.load("numbers", "validation", data_dir=tmp_path)


def test_bytes_of_images_in_memory_are_kept_to_the_last_zero():
    encoded = np.array([b"a\0\0", b"\xff\0"], dtype=object)
    split = datasets.Split.from_arrays(encoded, [0, 1])
    found = [split.read(tf.constant(i, tf.int64))[0].numpy() for i in (0, 1)]
    assert found == list(encoded)


def test_pixels_in_memory_are_not_in_the_graph():
    split = datasets.load("digits", "train")
    spec = tf.TensorSpec((), tf.int64)
    function = tf.function(split.read).get_concrete_function(spec)
    assert function.graph.as_graph_def().ByteSize() < 5_000


def test_files_that_only_the_user_can_get_are_named(tmp_path):
    with pytest.raises(errors.UsageError) as info:
        datasets.load("imagenet2012", "train", data_dir=str(tmp_path))
    for expected in (
        "ILSVRC2012_img_train.tar",
        "ILSVRC2012_img_val.tar",
        str(tmp_path / "downloads" / "manual"),
        "tfds build imagenet2012 --file_format=array_record",
        "--beam_pipeline_options",
    ):
        assert expected in str(info.value)


@pytest.mark.parametrize(
    "name", [n for n in datasets.DATASETS if n != "digits"]
)
def test_every_named_data_set_has_the_split_that_it_is_validated_on(name):
    import tensorflow_datasets as library

    cls = library.builder_cls(name)
    assert datasets.info(name).reference
    source = inspect.getsource(inspect.getmodule(cls)).lower()
    split = datasets.info(name).validation
    assert f"split.{split}" in source or f'"{split}"' in source


def test_a_config_or_version_has_the_constants_of_its_data_set():
    assert datasets.info("cifar10:3.0.2") == datasets.DATASETS["cifar10"]
    imagenette = datasets.info("imagenette/160px-v2")
    assert imagenette == datasets.DATASETS["imagenette"]
    assert datasets.info("folder:cifar10").pixel_mean == imagenette.pixel_mean


def test_unknown_data_set_names_the_nearest():
    with pytest.raises(errors.UsageError, match="Did you mean 'cifar10'"):
        datasets.load("cifar11", "train")
