"""Writes data sets with TensorFlow Datasets' own tools, without a download."""

import contextlib
import dataclasses
import os
import pathlib
import re
import sys
import tempfile

from absl import logging

from keras_resnet.data import datasets
from keras_resnet.data.pixels import headers
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"

# The published files, and what gzip wrote into them: seconds since 1970.
# Debian took that and the name out of the headers.
_COMPRESSED_AT = {
    "train-images-idx3-ubyte.gz": 1504176606,
    "train-labels-idx1-ubyte.gz": 1504176606,
    "t10k-images-idx3-ubyte.gz": 1504176627,
    "t10k-labels-idx1-ubyte.gz": 1504176627,
}

# Of random access first.
FILE_FORMATS = ("array_record", "tfrecord")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """A data set that TFDS reads.

    Attributes:
        name: for `datasets.load` and `tfds.builder`.
        folder: where it is.
        num_examples: split -> int.
        was_there: whether nothing had to be done.
    """

    name: str
    folder: pathlib.Path
    num_examples: dict[str, int]
    was_there: bool


def fashion_mnist(source=FASHION_MNIST, *, data_dir, file_format=None):
    """Fashion-MNIST (Xiao et al. 2017) from the four files of its authors.

    TFDS's own builder writes it, from files with the very sha256 that TFDS
    expects of a download.

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
    from tensorflow_datasets.core.download import download_manager

    builder = tfds.builder(
        "fashion_mnist",
        data_dir=data_dir,
        file_format=file_format or FILE_FORMATS[0],
    )
    with _quiet(tfds):
        if builder.is_prepared():
            return _prepared(builder, was_there=True)
    source = pathlib.Path(source)
    missing = [name for name in _COMPRESSED_AT if not (source / name).is_file()]
    require(
        not missing,
        f"{str(source)!r} lacks {', '.join(missing)}. Install Debian's package "
        "(apt-get install dataset-fashion-mnist), or name another folder with "
        "--source_dir.",
    )
    with tempfile.TemporaryDirectory() as folder, _quiet(tfds):
        for name in _COMPRESSED_AT:
            data = _as_published(name, (source / name).read_bytes())
            pathlib.Path(folder, name).write_bytes(data)
        config = tfds.download.DownloadConfig(
            manual_dir=folder,
            force_checksums_validation=True,
            try_download_gcs=False,
        )
        try:
            builder.download_and_prepare(
                download_dir=folder, download_config=config
            )
        except download_manager.NonMatchingChecksumError as error:
            raise UsageError(
                f"A file in {str(source)!r} is not the published one: {error}"
            ) from error
    return _prepared(builder)


def _as_published(name, data):
    """The file with the header that it was published with (RFC 1952)."""
    flags = data[3:4]
    if flags != b"\0":
        return data
    time = _COMPRESSED_AT[name].to_bytes(4, "little")
    stem = name.removesuffix(".gz").encode()
    return data[:3] + b"\x08" + time + data[8:10] + stem + b"\0" + data[10:]


def folder(path, name, *, data_dir, file_format=None):
    """A folder of images as a data set of TFDS; the files' bytes unchanged.

    Examples have the features "image", "label" and "file_name", as TFDS's
    imagenet2012 has them. Every image is decoded once before it is taken.

    Args:
        path: as in `folder:PATH`; PATH/validation may be missing.
        name: of the data set: lower-case letters, digits, underscores.
        data_dir: of TFDS; None for its default.
        file_format: one of `FILE_FORMATS`.

    Returns:
        `Prepared`.

    Raises:
        keras_resnet.UsageError: if the name cannot be taken, there is no such
            folder or an image cannot be read. Nothing is written then.
    """
    import tensorflow_datasets as tfds

    _check_name(tfds, name)
    with contextlib.suppress(tfds.core.DatasetNotFoundError):
        return _prepared(tfds.builder(name, data_dir=data_dir), was_there=True)
    splits = {"train": datasets.load(f"folder:{path}", "train")}
    if os.path.isdir(os.path.join(path, "validation")):
        splits["validation"] = datasets.load(f"folder:{path}", "validation")
    classes = map(scanning.printable, splits["train"].class_names)
    features = {
        # Any number of channels is stored; three are read.
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=list(classes)),
        "file_name": tfds.features.Text(),
    }
    with _quiet(tfds):
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=tfds.features.FeaturesDict(features),
            split_datasets={key: _examples(s) for key, s in splits.items()},
            data_dir=data_dir,
            description=f"The images of a folder, {name}.",
            file_format=file_format or FILE_FORMATS[0],
        )
    return _prepared(builder)


def _check_name(tfds, name):
    require(
        re.fullmatch("[a-z][a-z0-9_]*", name or ""),
        "--name must be lower-case letters, digits and underscores, a letter "
        f"first. Received: {name!r}.",
    )
    require(
        name not in datasets.DATASETS and name not in tfds.list_builders(),
        f"{name!r} is a data set of its own in TensorFlow Datasets. Take "
        "another --name.",
    )


def _examples(split):
    def whole(image):
        headers.read(image)
        scanning.pixels(image)
        return image

    for outcome in scanning.scan(split, whole):
        name = scanning.file_name(split, outcome.index)
        require(
            outcome.problem is None,
            f"Cannot read {scanning.printable(split.describe(outcome.index))}: "
            f"{outcome.problem}. Remove or replace it; `keras-resnet data "
            "validate` "
            "lists all such files.",
        )
        yield (
            outcome.index,
            {
                "image": outcome.value,
                "label": outcome.label,
                "file_name": os.fsencode(name),
            },
        )


@contextlib.contextmanager
def _quiet(tfds):
    # Bars are for a terminal, and what TFDS tells of its steps is no result.
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
