"""A table of files as a source, and an augmentation, as a user adds them."""

import csv
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet.data import datasets
from keras_resnet.data.pixels import augmentations
from keras_resnet.errors import UsageError


def load_rows(path, split, data_dir):
    """Rows of "split,file,label" of a table; files lie beside it."""
    del data_dir
    with open(path, newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] == split]
    if not rows:
        raise UsageError(f"{path} has no rows of the split {split!r}.")
    files = [str(pathlib.Path(path).parent / row[1]) for row in rows]
    names, labels = np.unique([row[2] for row in rows], return_inverse=True)
    labels = labels.astype(np.int32)

    def read(index):
        image = tf.io.read_file(tf.gather(files, index))
        return image, tf.gather(labels, index)

    return datasets.Split(
        name=f"rows:{path}/{split}",
        class_names=tuple(names.tolist()),
        num_examples=len(rows),
        read=read,
        describe=files.__getitem__,
        labels=labels,
    )


def erase(pixels, draws):
    """Makes a square anywhere grey; its side is a quarter of the image's.

    References: DeVries, Taylor 2017, arXiv 1708.04552.
    """
    side = tf.shape(pixels)[0]
    corner = draws["erase"] * tf.cast(side - side // 4 + 1, tf.float32)
    places = tf.range(side)
    inside = [
        (places >= first) & (places < first + side // 4)
        for first in tf.unstack(tf.cast(corner, tf.int32))
    ]
    square = inside[0][:, None, None] & inside[1][None, :, None]
    return tf.where(square, 128.0, pixels)


datasets.register(
    "rows",
    load_rows,
    datasets.DatasetInfo(pixel_mean=(10.0, 20.0, 30.0), pixel_std=(50.0,) * 3),
)
augmentations.register(
    "pad_erase",
    about="pad, crop, erase",
    pads=True,
    changes=(erase,),
    draws={"erase": 2},
)
