"""Image files, here or on a remote store: which of them are read at all.

Only regular files of up to `MAX_BYTES` are: a pipe would block, and a device
has no end. `problem` tells before a byte is read.
"""

import os

from keras_resnet import files as files_lib
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels.headers import BadImageError

# Four bytes for each of the pixels that an image may have: 512 MiB.
MAX_BYTES = 4 * headers.MAX_PIXELS

# From this size on, the first bytes are checked before the rest is read.
_LARGE = 2**24


def problem(path):
    """Why a file must not be read, in one line; None if it may be.

    A missing or protected file is no problem here: reading it says why.

    Args:
        path: bytes or str; links are followed.
    """
    try:
        path = os.fsencode(path)
        if is_remote(path):
            return _too_large_there(path)
        found = os.stat(path)
        why = files_lib.no_file(found)
        if why or found.st_size < _LARGE:
            return why
        return _too_large(found.st_size) or _no_image(path)
    except OSError:
        return None


def is_remote(path):
    """Whether `path` (bytes) has a scheme: `tf.io.gfile` knows it, not `os`."""
    return b"://" in path


def _too_large_there(path):
    import tensorflow as tf

    try:
        return _too_large(tf.io.gfile.stat(path).length)
    except tf.errors.OpError:
        return None


def _too_large(size):
    if size > MAX_BYTES:
        return f"it has {size:,} bytes, more than the limit of {MAX_BYTES:,}"
    return None


def _no_image(path):
    try:
        with open(path, "rb") as file:
            headers.format_of(file.read(64))
    except BadImageError as error:
        return str(error)
    return None


def read(path):
    """The bytes of an image file.

    Args:
        path: of a file on this machine.

    Raises:
        BadImageError: if it must not be read.
        OSError: if it cannot be.
    """
    why = problem(path)
    if why:
        raise BadImageError(why)
    with open(path, "rb") as file:
        return file.read()


def read_if(path, why):
    """The bytes of a file that may be read, in a graph: a string scalar.

    Args:
        path: string scalar.
        why: string scalar: its `problem`, or empty.

    Raises:
        tf.errors.InvalidArgumentError: with the problem.
    """
    import tensorflow as tf

    from keras_resnet.data.examples import splits

    return tf.io.read_file(splits.checked(path, why == b"", why))


def reader(problems, is_remote=False):
    """The function that reads the files of a split, in a graph.

    Args:
        problems: {index: `problem` of that file}; empty for remote files.
        is_remote: whether the files are on a remote store.

    Returns:
        (string scalar path, int64 scalar index) -> the bytes, string scalar.
    """
    import tensorflow as tf

    from keras_resnet.data.examples import host

    if is_remote:
        return lambda path, _: read_if(path, remote_problem(path))
    if not problems:
        return lambda path, _: tf.io.read_file(path)
    indices = host.on_host(list(problems), tf.int64)
    reasons = host.on_host(list(problems.values()))

    def read(path, index):
        why = tf.boolean_mask(reasons, indices == index)
        return read_if(path, tf.strings.reduce_join(why))

    return read


def remote_problem(path):
    """`problem` of a file when it is read, in a graph: "" where there is none.

    For remote files: TensorFlow asks for their sizes anyway and keeps them for
    a while. For a local file it would cost 0.1 ms, a tenth of decoding it, so
    local files are checked when they are listed.
    """
    import numpy as np
    import tensorflow as tf

    def why(path):
        return problem(np.asarray(path).item()) or ""

    return tf.ensure_shape(tf.numpy_function(why, [path], tf.string), ())
