"""Images that cannot be read: a run names them and fails, or masks them.

A masked image leaves a grey one of weight 0 in its place, so that no later
batch shifts. It counts for nothing in the loss and in the metrics; the batch
statistics of BN do see it.
"""

import itertools
import threading

import tensorflow as tf
from absl import logging

from keras_resnet.data.examples import graphs
from keras_resnet.data.examples.splits import first_or
from keras_resnet.data.pixels import decoding
from keras_resnet.errors import UsageError

_NAMED = 5  # in one message


class MaskedImages:
    """Which examples of a split were masked, and why.

    Args:
        split: `datasets.Split`.
        limit: how many different examples may be masked.
        known: `reasons` of an earlier session.
    """

    def __init__(self, split, limit, known=None):
        self.split, self.limit = split, limit
        known = known or {}
        self._reasons = {int(index): why for index, why in known.items()}
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._reasons)

    @property
    def reasons(self):
        """dict: index -> why it was masked, ascending."""
        with self._lock:
            return dict(sorted(self._reasons.items()))

    def note(self, index):
        """Counts an example that could not be read; logs it the first time."""
        index = int(index)
        with self._lock:
            if index in self._reasons:
                return
            why = reason(self.split, index) or "it can be read the next time"
            self._reasons[index] = why
        logging.warning("Masked %s: %s", self.split.describe(index), why)

    def check(self):
        """Raises `UsageError` if there are more than the limit."""
        if len(self) <= self.limit:
            return
        named = [
            f"{self.split.describe(index)} ({why})"
            for index, why in list(self.reasons.items())[:_NAMED]
        ]
        raise UsageError(
            f"{len(self)} images of {self.split.name} cannot be read; "
            f"--on_bad_image=mask:{self.limit} allows {self.limit}. "
            f"Among them: {'; '.join(named)}. Remove or replace them, or "
            "allow more."
        )


def mask(example, placeholder, masked):
    """`example`, with a placeholder wherever it fails.

    Args:
        example: function of (index, ...) in a tf.data graph.
        placeholder: function without arguments, with the same kind of result.
        masked: `MaskedImages`, which is told of each failure.
    """

    def note(index):
        masked.note(index)
        return index

    def substitute(index, *_):
        done = tf.numpy_function(note, [index], tf.int64)
        with tf.control_dependencies([done]):
            return tf.nest.map_structure(tf.identity, placeholder())

    return _or(example, lambda one, _: one.map(substitute))


def or_empty(read):
    """`read`, with an empty file wherever it fails, which `mask` replaces.

    Args:
        read: function in a tf.data graph; string tensors among its results
            become empty, others 1.
    """

    def empty(spec):
        fill = tf.zeros if spec.dtype == tf.string else tf.ones
        return fill(spec.shape, spec.dtype)

    def substitute(one, specs):
        return one.map(lambda *_: tf.nest.map_structure(empty, specs))

    return _or(read, substitute)


def _or(example, other):
    """`example`, or what `other` makes of its arguments where it fails.

    Args:
        example: function in a tf.data graph.
        other: (data set of the arguments, specs of a result) -> a data set of
            one result.
    """

    def guarded(*arguments):
        one = tf.data.Dataset.from_tensors(arguments)
        good = one.map(example).ignore_errors(log_warning=False)
        return first_or(good, other(one, good.element_spec))

    return guarded


def reason(split, index):
    """Why an example cannot be read, in one line; None if it can."""
    try:
        image, _ = split.read(tf.constant(index, tf.int64))
    except graphs.READ_ERRORS as error:
        return decoding.reason(error)
    if image.dtype == tf.string:
        return decoding.problem(image.numpy())
    return None


def blame(split, indices, error):
    """The `UsageError` that names the example which cannot be read.

    Args:
        split: where the examples are from.
        indices: of the examples, one of which failed.
        error: what tf.data raised.
    """
    for index in dict.fromkeys(int(i) for i in indices):
        why = reason(split, index)
        if why:
            return UsageError(
                f"Cannot read {split.describe(index)}: {why}. Remove or "
                "replace it, or pass --on_bad_image=mask:N to go on without "
                "up to N such images."
            )
    return UsageError(
        f"Cannot read a batch of {split.name}: {decoding.reason(error)}"
    )


def naming_bad(split, dataset, batch_size):
    """The batches of every example, in order; an error names a bad example.

    Args:
        split: `datasets.Split`.
        dataset: iterable of batches, from `pipeline.eval_dataset` or
            `pipeline.every_example`, maybe distributed.
        batch_size: examples in an element of the dataset.

    Raises:
        keras_resnet.UsageError: where an example cannot be read.
    """
    iterator = iter(dataset)
    for first in itertools.count(0, batch_size):
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except graphs.READ_ERRORS as error:
            everything = range(split.num_examples)
            near = everything[first : first + batch_size]
            raise blame(split, [*near, *everything], error) from error
        yield batch
