"""Pictures of coloured squares, with any number of labels: soon learnt."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples.splits import Split

NAMES = ("red", "green", "blue")


def arrays(seed, number=48, size=8):
    """Pictures uint8 (N, S, S, 3) and labels uint8 (N, 3).

    Each colour has its own quarter of a picture, and is there or not. The last
    label is rare.
    """
    rng = np.random.default_rng(seed)
    labels = (rng.random((number, 3)) < (0.5, 0.5, 0.25)).astype(np.uint8)
    images = rng.integers(0, 60, (number, size, size, 3))
    half = size // 2
    for channel, (row, column) in enumerate(((0, 0), (0, 1), (1, 0))):
        rows = slice(row * half, (row + 1) * half)
        columns = slice(column * half, (column + 1) * half)
        there = 150 * labels[:, channel, None, None]
        images[:, rows, columns, channel] += there
    return images.astype(np.uint8), labels


def split(name, seed, number=48):
    """A `Split` of `arrays`."""
    images, labels = arrays(seed, number)
    files = [f"{index}.png" for index in range(number)]

    def read(index):
        return tf.gather(images, index), tf.gather(labels, index)

    return Split(
        name=f"squares/{name}",
        class_names=NAMES,
        num_examples=number,
        read=read,
        describe=files.__getitem__,
        labels=labels,
        multi_label=True,
    )


def splits_of_one_class():
    """{"train": a `Split`, "validation": another}."""
    names = ("train", "validation")
    return {name: of_one_class(split(name, i)) for i, name in enumerate(names)}


def of_one_class(split):
    """The same pictures, each with its first label only."""
    labels = split.labels.argmax(axis=1).astype(np.int32)
    return dataclasses.replace(
        split,
        labels=labels,
        read=lambda i: (split.read(i)[0], tf.gather(labels, i)),
        multi_label=False,
    )
