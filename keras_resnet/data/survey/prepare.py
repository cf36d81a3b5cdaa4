"""Writes data sets with TensorFlow Datasets' own tools, without a download."""

import contextlib
import dataclasses
import os
import pathlib
import re
import sys

from absl import logging

from keras_resnet.data import datasets
from keras_resnet.data.pixels import headers
from keras_resnet.data.stores import arrays
from keras_resnet.data.stores import stored_size
from keras_resnet.data.survey import scanning
from keras_resnet.data.survey import shrinking
from keras_resnet.errors import printable
from keras_resnet.errors import require

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"

# The one with random access first.
FILE_FORMATS = ("array_record", "tfrecord")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """A data set that TFDS reads.

    Attributes:
        name: for `datasets.load` and `tfds.builder`.
        folder: where it is.
        num_examples: split -> int.
        was_there: whether nothing had to be done.
        savings: `shrinking.Savings` where pictures were to be made smaller.
    """

    name: str
    folder: pathlib.Path
    num_examples: dict[str, int]
    was_there: bool
    savings: shrinking.Savings | None = None


def fashion_mnist(source=FASHION_MNIST, *, data_dir, file_format=None):
    """Fashion-MNIST (Xiao et al. 2017) from the four files of its authors.

    Args:
        source: folder of the four `.gz` files, as published or as in Debian's
            package dataset-fashion-mnist.
        data_dir: of TFDS; None for its default.
        file_format: one of `FILE_FORMATS`.

    Returns:
        `Prepared`.

    Raises:
        keras_resnet.UsageError: if a file is missing or not the published one.
    """
    import tensorflow_datasets as tfds

    with _quiet(tfds):
        known = tfds.builder("fashion_mnist", data_dir=data_dir)
        if known.is_prepared():
            return _prepared(known, was_there=True)
    source = pathlib.Path(source)
    missing = [
        n for n in arrays.FASHION_MNIST_FILES if not (source / n).is_file()
    ]
    require(
        not missing,
        f"{str(source)!r} lacks {', '.join(missing)}. Install Debian's package "
        "(apt-get install dataset-fashion-mnist), or name another folder with "
        "--source_dir.",
    )
    arrays.check_fashion_mnist(source)
    splits = {
        key: arrays.load("fashion_mnist", split, source)
        for key, split in (("train", "train"), ("test", "validation"))
    }
    return _store(
        "fashion_mnist",
        version=str(known.version),
        features=dict(known.info.features),
        examples={key: _pixels(split) for key, split in splits.items()},
        description=known.info.description,
        data_dir=data_dir,
        file_format=file_format,
    )


def _pixels(split):
    for index, image in enumerate(split.images):
        label = int(split.labels[index])
        yield index, {"image": image[..., :1], "label": label}


def files(dataset, name, *, data_dir, file_format=None, shorter_side=None):
    """Image files as a data set of TFDS.

    Their bytes are unchanged, except those of pictures larger than
    `shorter_side` if it is given.

    Examples have the features "image", "label" and "file_name", as TFDS's
    imagenet2012 has them. Every image is decoded once before it is taken.

    Args:
        dataset: `folder:PATH` or `csv:FILE`, of one class an image. What
            training would hold out of it is the split "validation".
        name: of the data set: lower-case letters, digits, underscores.
        data_dir: of TFDS; None for its default.
        file_format: one of `FILE_FORMATS`.
        shorter_side: int, to which `shrinking.shrink` brings larger pictures.
            The data set notes it, so that no recipe asks for more pixels.

    Returns:
        `Prepared`.

    Raises:
        keras_resnet.UsageError: if the name cannot be taken, there is no such
            folder or file, its images have several classes or one of them
            cannot be read; nothing is written then. Or if it was prepared
            with another `shorter_side`.
    """
    import tensorflow_datasets as tfds

    _check_name(tfds, name)
    with contextlib.suppress(tfds.core.DatasetNotFoundError):
        known = tfds.builder(name, data_dir=data_dir)
        stored = stored_size.of(known)
        require(
            stored == shorter_side,
            f"{name!r} was prepared with shorter_side={stored}. Take another "
            f"--name. Received: shorter_side={shorter_side}.",
        )
        return _prepared(known, was_there=True)
    splits = {
        key: datasets.load(dataset, key) for key in ("train", "validation")
    }
    require(
        not splits["train"].multi_label,
        f"{dataset} has any number of classes an image; what is written has "
        "one. Train on it as it is.",
    )
    classes = map(printable, splits["train"].class_names)
    features = {
        # Any number of channels is stored; three are read.
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=list(classes)),
        "file_name": tfds.features.Text(),
    }
    savings = shorter_side and shrinking.Savings(shorter_side)
    done = _store(
        name,
        version="1.0.0",
        features=features,
        examples={key: _files(split, savings) for key, split in splits.items()},
        description=stored_size.description(name, shorter_side),
        data_dir=data_dir,
        file_format=file_format,
    )
    return dataclasses.replace(done, savings=savings)


def _check_name(tfds, name):
    require(
        re.fullmatch("[a-z][a-z0-9_]*", name or ""),
        "--name must be lower-case letters, digits and underscores, a letter "
        f"first. Received: {name!r}.",
    )
    taken = {*datasets.SOURCES, *datasets.DATASETS, *tfds.list_builders()}
    require(
        name not in taken,
        f"{name!r} is a data set of its own. Take another --name.",
    )


def _files(split, savings):
    def whole(image):
        headers.read(image)
        if savings:
            return savings.shrink(image)
        scanning.pixels(image)
        return image

    for outcome in scanning.scan(split, whole):
        name = scanning.file_name(split, outcome.index)
        require(
            outcome.problem is None,
            f"Cannot read {printable(split.describe(outcome.index))}: "
            f"{outcome.problem}. Remove or replace it; `keras-resnet data "
            "validate` lists all such files.",
        )
        yield (
            outcome.index,
            {
                "image": outcome.value,
                "label": outcome.label,
                "file_name": os.fsencode(name),
            },
        )


def _store(name, *, features, examples, file_format, **options):
    """Lets TFDS write examples, {split: iterable of (key, example)}."""
    import tensorflow_datasets as tfds

    with _quiet(tfds):
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            features=tfds.features.FeaturesDict(features),
            split_datasets=examples,
            file_format=file_format or FILE_FORMATS[0],
            **options,
        )
    return _prepared(builder)


@contextlib.contextmanager
def _quiet(tfds):
    # Progress bars are for a terminal; TFDS's log of its steps is no result.
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _prepared(builder, *, was_there=False):
    splits = builder.info.splits
    return Prepared(
        name=builder.name,
        folder=pathlib.Path(builder.data_dir),
        num_examples={key: splits[key].num_examples for key in splits},
        was_there=was_there,
    )
