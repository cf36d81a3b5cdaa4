"""Data sets by name: what is known about them, and where their examples are.

Every source gives the same `Split`: a number of examples and a function from
an index to an example, so that order and augmentation are decided elsewhere,
as functions of a seed and a position (see `order.py` and `pipeline.py`).
"""

import functools
from collections.abc import Callable

from absl import logging

from keras_resnet.data import catalog
from keras_resnet.data import sources
from keras_resnet.data.catalog import DATASETS
from keras_resnet.data.catalog import DatasetInfo
from keras_resnet.data.catalog import info
from keras_resnet.data.examples.splits import Split
from keras_resnet.data.stores import arrays
from keras_resnet.data.stores import folder
from keras_resnet.data.stores import table
from keras_resnet.data.stores import tfds
from keras_resnet.data.stores import tfrecord
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.labels import class_names

__all__ = ["DATASETS", "DatasetInfo", "Split", "info", "load", "register"]

# {name: function of (path, split, data_dir) -> `Split`}.
SOURCES: dict[str, Callable[..., Split]] = {}


def register(
    name: str,
    load: Callable[..., Split],
    info: DatasetInfo | None = None,
) -> None:
    """Adds a source of examples that every command knows by its name.

    Call it in a module of yours that `--import` names.

    Args:
        name: letters, digits and underscores, for `--dataset=NAME` or
            `--dataset=NAME:PATH`.
        load: function of `path` (what follows "NAME:", or ""), `split`
            ("train", "validation" or whatever a user asks for) and `data_dir`
            (the command's, or None). It returns a `Split`, and raises
            `keras_resnet.UsageError` if there is none.
        info: what the library should know about its images. Default:
            ImageNet's mean colour, and errors reported on "validation".

    Raises:
        keras_resnet.UsageError: if a source of this name exists.

    Example:

    >>> register("zip", load_zip, DatasetInfo(reference="own photographs"))
    >>> load("zip:photographs.zip", "train")
    """
    require(
        isinstance(name, str) and name.isidentifier(),
        "A source of examples needs a name of letters, digits and "
        f"underscores. Received: {name!r}.",
    )
    register_row(SOURCES, name, load, "source of examples")
    if info is not None:
        catalog.DATASETS[name] = info


def name_of(data):
    """The name of a data set; the name of a folder is "folder:PATH".

    Args:
        data: path of a folder or of a CSV file, also as gs://bucket/photos, or
            a name that `load` takes.

    Raises:
        keras_resnet.UsageError: if it is neither.
    """
    return catalog.name_of(data, SOURCES)


def load(dataset, split, *, data_dir=None):
    """Opens one split of a data set.

    Args:
        dataset: "digits", which comes with the package; `folder:PATH` with
            images in PATH/train/CLASS/ and PATH/validation/CLASS/, or in
            PATH/CLASS/ (`stores/layouts.py`); `csv:FILE` with the columns
            path, label and maybe split (`stores/table.py`);
            `tfrecord:PATTERN` with ImageNet's field names in files such as
            PATTERN = "/data/{split}-*" or a folder (`stores/tfrecord.py`);
            `memory:NAME`, which `sources.hold` returned in this process; any
            other name that was given to `register`; or any TensorFlow
            Datasets name, such as "cifar10". A path may be any that
            `tf.io.gfile` reads, such as gs://bucket/images.
        split: "train" or "validation". For TFDS, "validation" is the split
            that `DATASETS` names, or "test" if there is no such split. TFDS
            also takes its own names and expressions, such as "test" and
            "train[:10%]"; a folder or TFRecord files take any name they have.
        data_dir: where TFDS keeps its data or will put it; or the folder of
            the files of MNIST, Fashion-MNIST or CIFAR-10, named as their
            authors named them.

    Returns:
        `Split`.

    Raises:
        keras_resnet.UsageError: if there is no such data set or split, it is
            empty, its files are damaged, or a class has a name that
            `class_names` refuses.
    """
    source, _, path = dataset.partition(":")
    if source not in SOURCES:
        source, path = "tfds", dataset
    opened = SOURCES[source](path, split, data_dir)
    class_names.check(opened.class_names, opened.name)
    for pair in class_names.alike(opened.class_names):
        _warn_of_alike(*pair)
    return opened


@functools.cache
def _warn_of_alike(one, other):
    """Warns once per process: a run opens its data several times."""
    logging.warning(
        "The classes %s and %s are two here, but one folder on systems that "
        "take no heed of case or of the form of letters (macOS, Windows): "
        "rename one, or put them together.",
        *map(ascii, (one, other)),
    )


def _load_tfds(path, split, data_dir):
    validation, known = info(path).validation, list({**SOURCES, **DATASETS})
    return tfds.load(
        path, split, data_dir=data_dir, validation=validation, known=known
    )


def _register_small(name):
    """Registers a set, read from its authors' files if `data_dir` has them."""

    def load(path, split, data_dir):
        if path or not arrays.are_in(data_dir, name):
            name_of_tfds = f"{name}:{path}" if path else name
            return _load_tfds(name_of_tfds, split, data_dir)
        found = arrays.load(name, split, data_dir)
        return Split.from_arrays(**vars(found), name=f"{name}/{split}")

    register(name, load)


for _name in arrays.READERS:
    _register_small(_name)
register("folder", lambda path, split, data_dir: folder.load(path, split))
register("csv", lambda path, split, data_dir: table.load(path, split))
register("memory", lambda path, split, data_dir: sources.find(path, split))
register("tfrecord", lambda path, split, data_dir: tfrecord.load(path, split))
register("tfds", _load_tfds)
