"""Data sets as splits with random access: the digits, TFDS, image folders.

Every store gives the same `Split`: a number of examples and a function from an
index to an example, so that order and augmentation are decided elsewhere, as
functions of a seed and a position (see `pipeline.py`).
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from keras_resnet import specs
from keras_resnet.errors import UsageError
from keras_resnet.errors import nearest
from keras_resnet.errors import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What the library knows of a data set beyond its examples."""

    pixel_mean: tuple[float, float, float]  # RGB, 0..255, of the train split
    pixel_std: tuple[float, float, float]
    validation: str  # name of the split that errors are reported on
    reference: str


def _statistics(stem):
    row = specs.STEMS[stem]
    return {"pixel_mean": row.pixel_mean, "pixel_std": row.pixel_std}


DATASETS = {
    "digits": DatasetInfo(
        pixel_mean=(78.0,) * 3,
        pixel_std=(96.0,) * 3,
        validation="validation",
        reference=(
            "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten "
            "Digits, UCI Machine Learning Repository, 1998, CC BY 4.0; the "
            "1,797 images that scikit-learn carries."
        ),
    ),
    "mnist": DatasetInfo(
        pixel_mean=(33.3,) * 3,
        pixel_std=(78.6,) * 3,
        validation="test",
        reference="LeCun et al. 1998",
    ),
    "fashion_mnist": DatasetInfo(
        pixel_mean=(72.9,) * 3,
        pixel_std=(90.0,) * 3,
        validation="test",
        reference="Xiao et al. 2017, arXiv 1708.07747",
    ),
    "cifar10": DatasetInfo(
        **_statistics("cifar"),
        validation="test",
        reference="Krizhevsky 2009",
    ),
    "cifar100": DatasetInfo(
        pixel_mean=(129.3, 124.1, 112.4),
        pixel_std=(68.2, 65.4, 70.4),
        validation="test",
        reference="Krizhevsky 2009",
    ),
    "imagenet2012": DatasetInfo(
        **_statistics("imagenet"),
        validation="validation",
        reference="Russakovsky et al. 2015, arXiv 1409.0575",
    ),
}

# Constants for any other data set: ImageNet's.
UNKNOWN = DatasetInfo(
    **_statistics("imagenet"), validation="validation", reference=""
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Examples with random access.

    Attributes:
        name: "digits/train".
        class_names: of the labels 0, 1, ...
        num_examples: int >= 1.
        read: int64 scalar tensor -> (image, label), in a tf.data graph: image
            is uint8 (H, W, 3), or the string scalar of an encoded file; label
            is an int32 scalar.
        describe: int -> what to call the example in a message: its file.
        labels: int32 (num_examples,), or None where only reading an example
            tells its label.
        pixels: uint8 (num_examples, H, W, 3), or None where they are not all
            in memory, decoded and of one size.
    """

    name: str
    class_names: tuple[str, ...]
    num_examples: int
    read: Callable
    describe: Callable[[int], str]
    labels: np.ndarray | None = None
    pixels: np.ndarray | None = None


def info(dataset):
    """The `DatasetInfo` of a name that `load` takes."""
    return DATASETS.get(dataset, UNKNOWN)


def load(dataset, split, *, data_dir=None):
    """Opens one split of a data set.

    Args:
        dataset: "digits", which comes with the package; `folder:PATH` with
            images in PATH/train/CLASS/ and PATH/validation/CLASS/; or any
            TensorFlow Datasets name, such as "cifar10".
        split: "train" or "validation". Where TFDS has no split "validation",
            its "test" is taken.
        data_dir: where TFDS keeps or shall put its data.

    Returns:
        `Split`.

    Raises:
        keras_resnet.UsageError: if there is no such data set or split, or it
            is empty.
    """
    if dataset == "digits":
        return _load_digits(split)
    if dataset.startswith("folder:"):
        return _load_folder(dataset.removeprefix("folder:"), split)
    return _load_tfds(dataset, split, data_dir)


_DIGITS = pathlib.Path(__file__).with_name("digits.npz")
_DIGITS_SHA256 = (
    "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"
)


def _load_digits(split):
    data = _DIGITS.read_bytes()
    require(
        hashlib.sha256(data).hexdigest() == _DIGITS_SHA256,
        f"{_DIGITS} is damaged: its sha256 is not {_DIGITS_SHA256}. "
        "Install the package again.",
    )
    with np.load(_DIGITS) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    # Every fifth image, so that both splits hold every writer.
    chosen = np.arange(len(images)) % 5 == 4
    chosen = chosen if split == "validation" else ~chosen
    # The pixels count 0..16 dots.
    pixels = np.round(images[chosen] * (255 / 16)).astype(np.uint8)
    pixels = np.repeat(pixels[..., np.newaxis], 3, axis=-1)
    names = tuple(str(digit) for digit in range(10))
    return _from_memory(f"digits/{split}", names, pixels, labels[chosen])


def _from_memory(name, class_names, images, labels):
    require(len(labels), f"{name} is empty: there is nothing to read.")
    labels = np.asarray(labels, np.int32)

    def read(index):
        # Made where it is traced: a pipeline's graph owns its constants.
        return tf.gather(images, index), tf.gather(labels, index)

    return Split(
        name=name,
        class_names=class_names,
        num_examples=len(labels),
        read=read,
        describe=lambda index: f"example {index} of {name}",
        labels=labels,
        pixels=images if images.dtype == np.uint8 else None,
    )


_EXTENSIONS = (b".jpg", b".jpeg", b".png", b".bmp", b".gif")


def _load_folder(path, split):
    root = os.fsencode(path)
    train, wanted = (os.path.join(root, s.encode()) for s in ("train", split))
    for folder in (root, train, wanted):
        require(
            os.path.isdir(folder),
            f"There is no folder {os.fsdecode(folder)!r}. folder:PATH needs "
            "PATH/train/CLASS/*.jpg and PATH/validation/CLASS/*.jpg.",
        )
    classes = _subfolders(train)
    require(
        classes,
        f"{os.fsdecode(train)!r} has no class folders. Expected "
        "PATH/train/CLASS/*.jpg.",
    )
    strangers = sorted(set(_subfolders(wanted)) - set(classes))
    require(
        not strangers,
        f"{os.fsdecode(wanted)!r} has classes that "
        f"{os.fsdecode(train)!r} lacks: "
        f"{', '.join(map(os.fsdecode, strangers))}.",
    )
    files, labels = _list_images(wanted, classes)
    require(
        files,
        f"{os.fsdecode(wanted)!r} holds no images. Expected CLASS/*.jpg "
        f"({', '.join(e.decode() for e in _EXTENSIONS)}).",
    )
    labels = np.asarray(labels, np.int32)

    def read(index):
        return tf.io.read_file(tf.gather(files, index)), tf.gather(
            labels, index
        )

    return Split(
        name=f"folder:{path}/{split}",
        class_names=tuple(os.fsdecode(name) for name in classes),
        num_examples=len(files),
        read=read,
        describe=lambda index: os.fsdecode(files[index]),
        labels=labels,
    )


def _subfolders(folder):
    # Names stay bytes: a file name need not be UTF-8.
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(b".")
    )


def _list_images(folder, classes):
    files, labels, ignored = [], [], 0
    for label, name in enumerate(classes):
        class_folder = os.path.join(folder, name)
        if not os.path.isdir(class_folder):
            continue
        for entry in sorted(os.scandir(class_folder), key=lambda e: e.name):
            if entry.name.lower().endswith(_EXTENSIONS):
                files.append(entry.path)
                labels.append(label)
            else:
                ignored += 1
    if ignored:
        logging.warning(
            "%s: %d files are not images by their names and are ignored.",
            os.fsdecode(folder),
            ignored,
        )
    return files, labels


# array_record files are read example by example; others at once.
_MAX_BYTES_IN_MEMORY = 2 << 30


def _load_tfds(name, split, data_dir):
    import tensorflow_datasets as tfds  # seconds to import

    builder = _tfds_builder(tfds, name, data_dir)
    if split != "train":
        split = info(name).validation
        if split not in builder.info.splits and "test" in builder.info.splits:
            split = "test"
    require(
        split in builder.info.splits,
        f"TFDS data set {name!r} has no split {split!r}. "
        f"It has: {', '.join(builder.info.splits)}.",
    )
    features = builder.info.features
    require(
        "image" in features and "label" in features,
        f"TFDS data set {name!r} must have features 'image' and 'label'. "
        f"It has: {', '.join(features)}.",
    )
    class_names = tuple(features["label"].names)
    full_name = f"{name}/{split}"
    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        return _from_array_record(tfds, builder, split, full_name, class_names)
    require(
        builder.info.splits[split].num_bytes <= _MAX_BYTES_IN_MEMORY,
        f"{full_name} is too large for memory and stored without random "
        "access. Prepare it again: "
        f"tfds build {name} --file_format=array_record",
    )
    # The encoded files: a CIFAR image is 2 KB of PNG, not 3 KB of pixels.
    dataset = builder.as_dataset(
        split=split,
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )
    examples = [(e["image"], e["label"]) for e in tfds.as_numpy(dataset)]
    images = np.array([image for image, _ in examples], dtype=object)
    labels = [label for _, label in examples]
    return _from_memory(full_name, class_names, images, labels)


def _tfds_builder(tfds, name, data_dir):
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        near = nearest(name, DATASETS) or nearest(name, tfds.list_builders())
        hint = f" Did you mean {near!r}?" if near else ""
        raise UsageError(
            f"Unknown data set {name!r}.{hint} Take 'digits', 'folder:PATH' "
            f"or a TensorFlow Datasets name. Received: {name!r}."
        ) from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # whatever network or disk say
        raise UsageError(
            f"TFDS could not prepare {name!r} in {builder.data_dir}: {error} "
            "Prepare it with `tfds build` and pass --data_dir."
        ) from error
    return builder


def _from_array_record(tfds, builder, split, name, class_names):
    source = builder.as_data_source(
        split=split,
        deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
    )
    decoders = {"image": tfds.decode.SkipDecoding()}

    def read(index):
        record = tf.numpy_function(
            lambda i: source[int(i)], [index], tf.string, stateful=False
        )
        record = tf.ensure_shape(record, ())
        example = builder.info.features.deserialize_example(
            record, decoders=decoders
        )
        return example["image"], tf.cast(example["label"], tf.int32)

    return Split(
        name=name,
        class_names=class_names,
        num_examples=len(source),
        read=read,
        describe=lambda index: f"example {index} of {name}",
    )
