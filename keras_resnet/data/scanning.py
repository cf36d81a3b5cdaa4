"""Every example of a split once, as it is stored, whatever is wrong with it."""

import concurrent.futures
import dataclasses
import os
import sys
from typing import Any

import tensorflow as tf
import tqdm

from keras_resnet.data import transforms
from keras_resnet.data.headers import BadImageError

# Examples that are held at a time: memory does not grow with the split.
_WINDOW = 16 * (os.cpu_count() or 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one example.

    Attributes:
        index: of the example in its split.
        label: int, or None where it could not be read.
        value: what the work gave; None where it could not be done.
        problem: why it could not, or None.
    """

    index: int
    label: int | None
    value: Any = None
    problem: str | None = None


def scan(split, work):
    """Does the same work on every example, several at a time, in order.

    Args:
        split: `datasets.Split`.
        work: called in threads with the encoded file, bytes, or, where the
            split holds pixels, uint8 (H, W, 3). It raises `BadImageError` or
            TensorFlow's errors where it cannot be done.

    Yields:
        `Outcome`, one for each example.
    """
    read = reader(split)

    def example(index):
        label = None if split.labels is None else int(split.labels[index])
        try:
            image, label = read(index)
            if not 0 <= label < len(split.class_names):
                raise BadImageError(
                    f"its label {label} is not one of the "
                    f"{len(split.class_names)} classes"
                )
            value = work(image)
        except (BadImageError, tf.errors.OpError) as error:
            return Outcome(index=index, label=label, problem=reason(error))
        return Outcome(index=index, label=label, value=value)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for first in _bar(range(0, split.num_examples, _WINDOW), split):
            window = range(first, min(first + _WINDOW, split.num_examples))
            yield from threads.map(example, window)


def reader(split):
    """An eager function: index -> (bytes or uint8 (H, W, 3), int label)."""
    # Traced once: a split's constants become tensors once.
    graph = tf.function(
        split.read, input_signature=[tf.TensorSpec((), tf.int64)]
    )

    def read(index):
        image, label = graph(tf.constant(index, tf.int64))
        return image.numpy(), int(label)

    return read


def reason(error):
    """Why an example cannot be read, in one line."""
    if isinstance(error, BadImageError):
        return str(error)
    # Its first line, without the name of TensorFlow's operation.
    lines = error.message.splitlines() or [type(error).__name__]
    return lines[0].split("{{")[0].strip()


def _bar(windows, split):
    return tqdm.tqdm(
        windows,
        desc=split.name,
        unit_scale=_WINDOW,
        unit=" images",
        leave=False,
        disable=not sys.stderr.isatty(),
    )


def file_name(split, index):
    """What to call an example, below the folder of its split where it is one.

    Returns:
        str: "cat/1.jpg", or what `split.describe` says. Bytes that are not
        UTF-8 are surrogates (PEP 383).
    """
    name = split.describe(index)
    folder = split.name.removeprefix("folder:")
    return name if folder == split.name else os.path.relpath(name, folder)


def printable(text):
    """Text with what is not UTF-8 shown as escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def pixels(image):
    """All pixels of what `scan` and `reader` give: uint8 (H, W, 3).

    Raises:
        tf.errors.InvalidArgumentError: if an encoded file cannot be decoded.
    """
    if isinstance(image, bytes):
        return transforms.decode(tf.constant(image))
    return image
