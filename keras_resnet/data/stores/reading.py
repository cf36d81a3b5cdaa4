"""Reading records that an index has found: one by one, or in whole blocks."""

import collections
import concurrent.futures
import threading

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import host
from keras_resnet.data.examples import splits

# Bytes of a block: a read of this size is as fast as network storage goes.
BLOCK_BYTES = 8 << 20

_RECORD = tf.TensorSpec((), tf.string)


def _open(path, offset, size):
    """A data set of the records from `offset` on, read `size` bytes at a time.

    It is TensorFlow's own reader, which checks the CRC-32C of every record.
    """
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path],
        compression_type="",
        buffer_size=size,
        byte_offsets=[offset],
    )
    return tf.data.experimental.from_variant(variant, _RECORD)


def reader(records):
    """A function that reads single records, without Python, in parallel.

    Args:
        records: `records.Records`.

    Returns:
        int64 scalar tensor -> string scalar, in a tf.data graph; it raises
        `tf.errors.InvalidArgumentError`, which names file and record, if the
        record is damaged.
    """
    offsets = host.on_host(records.offsets)
    sizes = host.on_host(records.sizes)

    def read(index, path):
        return _read(path, tf.gather(offsets, index), tf.gather(sizes, index))

    return _checked(records, read)


def _read(path, offset, size):
    """One record, or an empty string where it is damaged."""
    nothing = tf.data.Dataset.from_tensors("")
    found = _open(path, offset, size).take(1).ignore_errors()
    return splits.first_or(found, nothing)


def _checked(records, read):
    """`read`, with an error that names the record if nothing was read."""
    paths, files = host.on_host(records.paths), host.on_host(records.files)
    numbers = host.on_host(records.numbers)

    def checked(index):
        path = tf.gather(paths, tf.gather(files, index))
        record = read(index, path)
        number = tf.gather(numbers, index)
        what = ("damaged or not readable: record", number, "of", path)
        return splits.checked(record, record != "", *what)

    return checked


def block_starts(records):
    """The first record of each run of about `BLOCK_BYTES` within a file.

    Args:
        records: `records.Records`, N of them.

    Returns:
        int64 (blocks + 1,), from 0 to N.
    """
    part = records.offsets // BLOCK_BYTES
    new = (np.diff(records.files) != 0) | (np.diff(part) != 0)
    # Neighbours in the index need not touch: a split may leave out records.
    new |= np.diff(records.offsets) != records.sizes[:-1]
    return np.concatenate(
        [[0], np.flatnonzero(new) + 1, [len(records.offsets)]]
    ).astype(np.int64)


def block_reader(records, starts, num_blocks):
    """As `reader`, but reads whole blocks and keeps the last ones used.

    Args:
        records: `records.Records`.
        starts: from `block_starts`.
        num_blocks: int >= 1, the most blocks kept, besides those being read.
    """
    recent = _Recent(
        lambda block: read_block(records, starts[block], starts[block + 1]),
        num_blocks,
    )

    def find(index):
        block = int(np.searchsorted(starts, index, side="right")) - 1
        return recent.get(block)[index - starts[block]]

    def read(index, path):
        del path
        record = tf.numpy_function(find, [index], tf.string, stateful=False)
        return tf.ensure_shape(record, ())

    return _checked(records, read)


def read_block(records, first, last):
    """Records `first`, ..., `last - 1`, of one file, in one read.

    Returns:
        list of bytes, empty for a damaged record. If there is one, all are
        read again, one by one.
    """
    path = records.paths[records.files[first]]
    offsets, sizes = records.offsets[first:last], records.sizes[first:last]
    whole = _open(path, offsets[0], np.sum(sizes)).take(len(sizes))
    try:
        found = list(whole.batch(len(sizes)).get_single_element().numpy())
    except graphs.READ_ERRORS:
        found = []
    if len(found) < len(sizes):
        found = [_read(path, *at).numpy() for at in zip(offsets, sizes)]
    return found


class _Recent:
    """Remembers what a function returned for the last keys; thread-safe.

    Each key is loaded by the thread that asks first; others wait for it.
    """

    def __init__(self, load, capacity):
        self._load, self._capacity = load, capacity
        self._lock = threading.Lock()
        self._held = collections.OrderedDict()  # key -> Future, oldest first

    def get(self, key):
        with self._lock:
            future, known = self._held.get(key), key in self._held
            if not known:
                future = self._held[key] = concurrent.futures.Future()
            self._held.move_to_end(key)
            while len(self._held) > self._capacity:
                self._held.popitem(last=False)
        if not known:
            try:
                future.set_result(self._load(key))
            except Exception as error:
                future.set_exception(error)
        return future.result()
