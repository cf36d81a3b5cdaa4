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
from keras_resnet.data.stores import memory
from keras_resnet.data.stores import tfds


def _examples(split):
    for index in range(split.num_examples):
        image, label = split.read(tf.constant(index, tf.int64))
        if image.dtype == tf.string:
            image = decoding.decode(image)
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
    data = bytearray(arrays.DIGITS.read_bytes())
    data[1000] ^= 1
    path = tmp_path / "digits.npz"
    path.write_bytes(data)
    monkeypatch.setattr(arrays, "DIGITS", path)
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
    # They are all of one size, and few.
    assert split.pixels.shape == (20, 8, 8, 3)
    np.testing.assert_array_equal(split.labels, labels[40:60])
    _check_tiny_digits(split, images, labels)


def test_large_tfds_is_read_example_by_example(tfds_dir, monkeypatch):
    data_dir, file_format, images, labels = tfds_dir
    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(tfds, "MAX_BYTES_DECODED", 0)
    split = datasets.load("tiny_digits", "validation", data_dir=data_dir)
    assert split.labels is None
    assert (split.blocks is not None) == (file_format == "tfrecord")
    _check_tiny_digits(split, images, labels)


@pytest.mark.parametrize("limit", [0, 1 << 30])
@pytest.mark.parametrize(
    "expression, expected",
    [
        ("test", range(40, 60)),
        ("train[:10%]", range(4)),
        ("train[35:]", range(35, 40)),
        ("train[10:12]+test[:3]", [10, 11, 40, 41, 42]),
    ],
)
def test_any_split_of_tfds_is_read(
    tfds_dir, monkeypatch, limit, expression, expected
):
    data_dir, _, images, labels = tfds_dir
    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", limit)
    monkeypatch.setattr(tfds, "MAX_BYTES_DECODED", limit)
    split = datasets.load("tiny_digits", expression, data_dir=data_dir)
    assert split.name == f"tiny_digits/{expression}"
    assert split.num_examples == len(expected)
    for index, (image, label) in zip(expected, _examples(split), strict=True):
        assert label == labels[index]
        np.testing.assert_array_equal(image[..., :1], images[index])


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
    data_dir, file_format, *_ = tfds_dir
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
    assert split.read(tf.constant(39, tf.int64))[1] == load_digits().target[39]


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_a_tfds_example_without_label_is_named(
    tmp_path, monkeypatch, file_format, limit
):
    import tensorflow_datasets as library

    monkeypatch.setattr(tfds, "MAX_BYTES_IN_MEMORY", limit)
    monkeypatch.setattr(tfds, "MAX_BYTES_DECODED", limit)
    examples = {
        "image": np.zeros((5, 8, 8, 3), np.uint8),
        "label": np.array([0, 1, 0, -1, 1]),
    }
    library.dataset_builders.store_as_tfds_dataset(
        name="unlabelled",
        version="1.0.0",
        features=library.features.FeaturesDict(
            {
                "image": library.features.Image(shape=(8, 8, 3)),
                "label": library.features.ClassLabel(num_classes=2),
            }
        ),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(examples)},
        data_dir=tmp_path,
        file_format=file_format,
        disable_shuffling=True,
    )

    def read_all():
        split = datasets.load("unlabelled", "train", data_dir=tmp_path)
        dataset = tf.data.Dataset.range(5).map(split.read)
        list(dataset.as_numpy_iterator())

    wrong = (errors.UsageError, tf.errors.InvalidArgumentError)
    with pytest.raises(wrong, match="example 3"):
        read_all()


def test_a_tfds_data_set_without_images_and_labels_is_refused(tmp_path):
    import tensorflow_datasets as library

    library.dataset_builders.store_as_tfds_dataset(
        name="numbers",
        version="1.0.0",
        features=library.features.FeaturesDict(
            {"image": np.int64, "label": np.int64}
        ),
        split_datasets={
            "train": tf.data.Dataset.from_tensors(
                {"image": np.int64(1), "label": np.int64(1)}
            )
        },
        data_dir=tmp_path,
    )
    with pytest.raises(errors.UsageError, match="'image' of the kind Image"):
        datasets.load("numbers", "train", data_dir=tmp_path)


def test_bytes_of_images_in_memory_are_kept_to_the_last_zero():
    encoded = np.array([b"a\0\0", b"\xff\0"], dtype=object)
    split = memory.from_memory("x", ("a", "b"), encoded, [0, 1])
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
