"""Examples from a Python program: arrays, or a source with random access.

The functions are the constructors of `splits.Split`, which is `cls` here. N
examples of K classes.
"""

import hashlib

import numpy as np
import tensorflow as tf
from absl import logging

from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import host
from keras_resnet.data.examples import source_items
from keras_resnet.errors import UsageError
from keras_resnet.errors import require


def from_arrays(cls, images, labels, *, class_names=None, name="images"):
    """A split of arrays, all in memory.

    Args:
        images: uint8 (N, H, W, 3), pixels of 0..255; or (N, H, W, 1) or
            (N, H, W), grey, which becomes RGB; or a list of N encoded files
            as bytes. Images of several sizes: see `from_source`.
        labels: int (N,) in [0, K), one class each; or 0/1 of any integer type
            (N, K), K >= 2, any number of classes each.
        class_names: K names. Default: "0", "1", ...
        name: of the split, for messages.

    Returns:
        `Split`.

    Raises:
        keras_resnet.UsageError: if there is no example, the numbers of images
            and labels differ, a label has no class, or pixels have another
            type or shape, such as floats of 0..1.
    """
    labels, class_names = _labels(labels, class_names, name)
    images = host.on_host(_images(images, name))
    require(
        len(images) == len(labels),
        f"{name} needs a label for each image. Received: {len(images)} images "
        f"and {len(labels)} labels.",
    )
    held = host.on_host(labels)
    return cls(
        name=name,
        class_names=class_names,
        num_examples=len(labels),
        read=lambda index: (tf.gather(images, index), tf.gather(held, index)),
        describe=lambda index: f"example {index} of {name}",
        labels=labels,
        pixels=images if images.dtype == tf.uint8 else None,
        multi_label=labels.ndim == 2,
    )


def from_source(cls, source, *, class_names=None, name="images"):
    """A split of a source with a length and random access to its examples.

    A Hugging Face `datasets.Dataset` is a source, and so is a map-style data
    set of PyTorch. It must give the same example each time, whichever came
    before: leave random augmentation to the recipe. It is asked for one example
    at a time. Labels are read once at the start: from the column "label" where
    `source.features` has one, otherwise with all the images.

    Args:
        source: has `__len__` and `__getitem__`; an example is (image, label)
            or {"image": image, "label": label}. An image is a Pillow image,
            uint8 (H, W, 3), (H, W, 1) or (H, W), or the bytes of an encoded
            file, also as {"bytes": bytes}; all are files or none is. Arrays
            are taken as they are; a Pillow image is turned, like a file, as its
            EXIF note says if the recipe or the view has exif="apply".
            A label is an int, or 0/1 (K,).
        class_names: K names. Default: those of `source.features["label"]`, or
            "0", "1", ...
        name: of the split, for messages.

    Returns:
        `Split`.

    Raises:
        keras_resnet.UsageError: if it has no random access (a generator, a
            `tf.data.Dataset`, a PyTorch DataLoader) or gives batches (a Keras
            PyDataset), an example is of another kind, or as `from_arrays`.
    """
    items = source_items.Items(source, name)
    found, names = items.labels()
    labels, class_names = _labels(found, class_names or names, name)
    held = host.on_host(labels)
    kind = items.check_repeatable()
    shape = (None, None, 3) if kind == tf.uint8 else ()

    def reader(image_at):
        def read(index):
            image = tf.numpy_function(image_at, [index], kind, stateful=False)
            return tf.ensure_shape(image, shape), tf.gather(held, index)

        return read

    return cls(
        name=name,
        class_names=class_names,
        num_examples=len(labels),
        read=reader(items.image),
        upright=reader(items.upright),
        describe=lambda index: f"example {index} of {name}",
        labels=labels,
        multi_label=labels.ndim == 2,
    )


def copies(split):
    """Numbers that are equal for images of equal bytes or pixels: int64 (N,).

    Args:
        split: `splits.Split`; each of its images is read, none is decoded.
    """
    firsts = {}
    numbers = (
        firsts.setdefault(image_digest(split, index), index)
        for index in range(split.num_examples)
    )
    return np.fromiter(numbers, np.int64, split.num_examples)


def image_digest(split, index):
    """A digest of an image as it is stored: bytes.

    An unreadable image gets one of its own; training names it, or masks it.
    """
    try:
        image = split.read(tf.constant(index, tf.int64))[0].numpy()
    except graphs.READ_ERRORS:
        return b"unreadable %d" % index
    shape = str(getattr(image, "shape", "")).encode()
    return hashlib.sha256(shape + bytes(image)).digest()


def _images(images, name):
    """Pixels, uint8 (N, H, W, 3), or encoded files, objects (N,)."""
    if isinstance(images, (list, tuple)):
        encoded = all(isinstance(image, bytes) for image in images)
        images = np.array(images, dtype=object) if encoded else images
    try:
        images = np.asarray(images)
    except ValueError as error:
        raise UsageError(
            f"{name} has images of several sizes. Pass a list of (image, "
            "label) instead of arrays."
        ) from error
    if images.dtype.kind in "OS" and images.ndim == 1:
        return images
    require(
        images.dtype == np.uint8,
        f"{name} needs pixels of 0..255 as uint8, or encoded files. Received: "
        f"{images.dtype.name}.",
    )
    if images.ndim == 3 or images.shape[3:] == (1,):
        grey = images.reshape(*images.shape[:3], 1)
        return np.repeat(grey, 3, axis=-1)
    require(
        images.ndim == 4 and images.shape[-1] == 3,
        f"{name} needs images of the shape (N, H, W, 3), (N, H, W, 1) or "
        f"(N, H, W). Received: {images.shape}.",
    )
    return images


def _labels(labels, class_names, name):
    """(int32 (N,) or uint8 (N, K), K names), checked."""
    try:
        labels = np.asarray(labels)
    except ValueError:  # rows of several lengths
        labels = np.asarray(labels, dtype=object)
    require(labels.size, f"{name} is empty: there is nothing to read.")
    require(
        labels.dtype.kind in "iub",
        f"{name} needs integers as labels, (N,), or 0/1 (N, K) where an "
        f"example may have several classes. Received: {labels.dtype.name}.",
    )
    require(
        labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] > 1),
        f"{name} needs labels of the shape (N,), or (N, K) with K >= 2. "
        f"Received: {labels.shape}. Of a column pass labels[:, 0].",
    )
    several = labels.ndim == 2
    if class_names is None:
        number = labels.shape[1] if several else int(labels.max()) + 1
        class_names = map(str, range(number))
    class_names = tuple(class_names)
    check = _check_several if several else _check_one
    check(labels, len(class_names), name)
    return labels.astype(np.uint8 if several else np.int32), class_names


def _check_one(labels, num_classes, name):
    labels = labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    require(
        not len(wrong),
        f"{name} has labels in [0, {num_classes}); of {len(wrong)} "
        "examples they are outside. Received: of "
        + ", ".join(f"example {i} {labels[i]}" for i in wrong[:5])
        + ".",
    )


def _check_several(labels, num_classes, name):
    require(
        labels.shape[1] == num_classes,
        f"{name} has {labels.shape[1]} labels an example. Received: "
        f"{num_classes} class names.",
    )
    wrong = np.flatnonzero(((labels != 0) & (labels != 1)).any(axis=1))
    require(
        not len(wrong),
        f"{name} needs labels of 0 and 1, as they are (N, K). Received: other "
        f"numbers in {len(wrong)} examples, the first of them {wrong[:1]}.",
    )
    if (labels.sum(axis=1, dtype=np.int64) == 1).all():
        logging.warning(
            "Every example of %s has exactly one class, but may have several: "
            "for one each, pass labels.argmax(axis=1).",
            name,
        )
