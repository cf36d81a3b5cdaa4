"""Data sets by name: what is known of them, and where their examples are.

Every store gives the same `Split`: a number of examples and a function from an
index to an example, so that order and augmentation are decided elsewhere, as
functions of a seed and a position (see `order.py` and `pipeline.py`).
"""

from keras_resnet.data.catalog import DATASETS
from keras_resnet.data.catalog import DatasetInfo
from keras_resnet.data.catalog import info
from keras_resnet.data.examples.splits import Split
from keras_resnet.data.stores import folder
from keras_resnet.data.stores import memory
from keras_resnet.data.stores import tfds
from keras_resnet.data.stores import tfrecord
from keras_resnet.labels import class_names

__all__ = ["DATASETS", "DatasetInfo", "Split", "info", "load"]


def load(dataset, split, *, data_dir=None):
    """Opens one split of a data set.

    Args:
        dataset: "digits", which comes with the package; `folder:PATH` with
            images in PATH/train/CLASS/ and PATH/validation/CLASS/;
            `tfrecord:PATTERN` with ImageNet's field names in files such as
            PATTERN = "/data/{split}-*" or a folder (`stores/tfrecord.py`); or
            any TensorFlow Datasets name, such as "cifar10". A path may be any
            that `tf.io.gfile` reads, such as gs://bucket/images.
        split: "train" or "validation", which for TFDS is the split that
            `DATASETS` names, or "test" where there is no such split. TFDS
            also takes its own names and expressions, such as "test" and
            "train[:10%]"; a folder or TFRecord files any name they have.
        data_dir: where TFDS keeps or shall put its data.

    Returns:
        `Split`.

    Raises:
        keras_resnet.UsageError: if there is no such data set or split, it is
            empty, its files are damaged, or a class has a name that
            `class_names` refuses.
    """
    opened = _open(dataset, split, data_dir)
    class_names.check(opened.class_names, opened.name)
    return opened


def _open(dataset, split, data_dir):
    if dataset == "digits":
        return memory.load_digits(split)
    kind, _, path = dataset.partition(":")
    if kind in _BY_PATH:
        return _BY_PATH[kind](path, split)
    return tfds.load(
        dataset,
        split,
        data_dir=data_dir,
        validation=info(dataset).validation,
        known=DATASETS,
    )


_BY_PATH = {"folder": folder.load, "tfrecord": tfrecord.load}
