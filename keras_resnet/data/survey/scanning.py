"""Every example of a split once, as it is stored, whatever is wrong with it."""

import concurrent.futures
import dataclasses
import os
import sys
from typing import Any

import tensorflow as tf
import tqdm

from keras_resnet.data.examples import class_labels
from keras_resnet.data.examples import graphs
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.stores import layouts
from keras_resnet.errors import printable

# Examples that a thread reads at a time: memory does not grow with the split.
_WINDOW = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one example.

    Attributes:
        index: of the example in its split.
        label: int, or a tuple of the classes that an example of a
            `multi_label` split has; None where it could not be read.
        value: what the work returned; None if it failed.
        problem: why it failed, or None.
    """

    index: int
    label: int | tuple[int, ...] | None
    value: Any = None
    problem: str | None = None


def scan(split, work):
    """Does the same work on every example, several at a time, in order.

    Args:
        split: `datasets.Split`.
        work: called in threads with the encoded file, bytes, or, where the
            split holds pixels, uint8 (H, W, 3). It raises `BadImageError` or
            TensorFlow's errors if it fails.

    Yields:
        `Outcome`, one for each example.
    """
    read, read_many = reader(split), _reader_of_many(split)
    known = set(range(len(split.class_names)))

    def outcome(index, example):
        label = None
        if split.labels is not None:
            label = class_labels.plain(split.labels[index])
        try:
            image, label = example(index)
            if not known.issuperset(class_labels.classes_of(label)):
                raise BadImageError(
                    f"its label {label} is not one of the "
                    f"{len(split.class_names)} classes"
                )
            value = work(image)
        except (BadImageError, *graphs.READ_ERRORS) as error:
            return Outcome(index=index, label=label, problem=reason(error))
        return Outcome(index=index, label=label, value=value)

    def window(indices):
        try:
            examples = read_many(indices)
        except graphs.READ_ERRORS:  # one failed; one by one tells which
            return [outcome(index, read) for index in indices]
        return [outcome(index, examples.pop) for index in indices]

    n, workers = split.num_examples, os.cpu_count() or 1
    windows = [range(i, min(i + _WINDOW, n)) for i in range(0, n, _WINDOW)]
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        bar = _bar(split)
        for i in range(0, len(windows), workers):
            for outcomes in threads.map(window, windows[i : i + workers]):
                bar.update(len(outcomes))
                yield from outcomes
        bar.close()


def reader(split):
    """An eager function: index -> (bytes or uint8 (H, W, 3), plain label)."""
    # Traced once: a split's constants become tensors once.
    graph = tf.function(
        split.read,
        input_signature=[tf.TensorSpec((), tf.int64)],
        autograph=False,
    )

    def read(index):
        image, label = graph(tf.constant(index, tf.int64))
        return image.numpy(), class_labels.plain(label)

    return read


def _reader_of_many(split):
    """An eager function: indices -> {index: (image, label)}."""
    spec = graphs.element_spec(split)

    def read_all(indices):
        return tf.map_fn(split.read, indices, fn_output_signature=spec)

    graph = tf.function(
        read_all,
        input_signature=[tf.TensorSpec((None,), tf.int64)],
        autograph=False,
    )

    def read_many(indices):
        images, labels = graph(tf.constant(indices, tf.int64))
        labels = map(class_labels.plain, labels.numpy())
        examples = zip(images.numpy(), labels, strict=True)
        return dict(zip(indices, examples, strict=True))

    return read_many


def reason(error):
    """Why an example cannot be read, in one line."""
    if isinstance(error, BadImageError):
        return str(error)
    return decoding.reason(error)


def _bar(split):
    return tqdm.tqdm(
        desc=printable(split.name),
        total=split.num_examples,
        unit=" images",
        leave=False,
        disable=not sys.stderr.isatty(),
    )


def file_name(split, index):
    """What to call an example: its relative path, if it is a file of its own.

    Returns:
        str: "cat/1.jpg", relative to the folder of the split or of the CSV
        file that lists it; otherwise what `split.describe` says. Bytes that
        are not UTF-8 are surrogates (PEP 383).
    """
    name = split.describe(index)
    source, _, path = split.name.partition(":")
    if source not in ("folder", "csv"):
        return name
    path, _, key = path.rpartition("/")
    root, _ = layouts.parse(path)
    if source == "csv":
        return os.path.relpath(name, os.path.dirname(root) or ".")
    below = os.path.join(root, key, "")
    return os.path.relpath(name, below if name.startswith(below) else root)


def pixels(image):
    """All pixels of what `scan` and `reader` give: uint8 (H, W, 3).

    Raises:
        tf.errors.InvalidArgumentError: if an encoded file cannot be decoded.
    """
    if isinstance(image, bytes):
        return decoding.decode(tf.constant(image))
    return image
