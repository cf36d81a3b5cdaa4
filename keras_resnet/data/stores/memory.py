"""Examples that are all in memory."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import decoding
from keras_resnet.errors import require


def from_memory(name, class_names, images, labels):
    """A `Split` of arrays.

    Args:
        name: of the split.
        class_names: K names.
        images: uint8 (N, H, W, 3), or N encoded files as bytes objects.
        labels: N ints in [0, K).

    Raises:
        keras_resnet.UsageError: if there is no example, a label that no class
            has, or pixels of another type, such as floats of 0..1.
    """
    require(len(labels), f"{name} is empty: there is nothing to read.")
    labels = np.asarray(labels, np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    require(
        not len(wrong),
        f"{name} has labels in [0, {len(class_names)}); of {len(wrong)} "
        "examples they are outside. Received: of "
        + ", ".join(f"example {i} {labels[i]}" for i in wrong[:5])
        + ".",
    )
    labels = labels.astype(np.int32)
    all_images, all_labels = splits.on_host(images), splits.on_host(labels)
    require(
        all_images.dtype in (tf.uint8, tf.string),
        f"{name} needs pixels of 0..255 as uint8, or encoded files. Received: "
        f"{all_images.dtype.name}.",
    )

    def read(index):
        return tf.gather(all_images, index), tf.gather(all_labels, index)

    return splits.Split(
        name=name,
        class_names=class_names,
        num_examples=len(labels),
        read=read,
        describe=lambda index: f"example {index} of {name}",
        labels=labels,
        pixels=all_images if all_images.dtype == tf.uint8 else None,
    )


def decoded(split, shape):
    """The same examples, read and decoded once.

    Args:
        split: `splits.Split` of images of one size.
        shape: (H, W) of them all.
    """
    num, size = split.num_examples, (*shape, 3)
    images = np.empty((num, *size), np.uint8)
    labels = np.empty(num, np.int32)

    def example(index):
        image, label = split.read(index)
        image = decoding.pixels(image, "ignore")
        return tf.ensure_shape(image, size), label

    examples = tf.data.Dataset.range(num).map(example, tf.data.AUTOTUNE)
    start = 0
    for some, their_labels in examples.batch(1000).prefetch(1):
        stop = start + len(some)
        images[start:stop], labels[start:stop] = some, their_labels
        start = stop
    return dataclasses.replace(
        from_memory(split.name, split.class_names, images, labels),
        describe=split.describe,
    )
