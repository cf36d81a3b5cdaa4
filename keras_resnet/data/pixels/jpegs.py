"""JPEG files in a graph: their size, whether they are whole, their pixels."""

import tensorflow as tf

from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import graph_bytes
from keras_resnet.data.pixels import limits

# Segments before the pixels of a JPEG; a camera writes about ten.
_MAX_SEGMENTS = 10_000
# Up to this many scans, as nearly all files have, their size does not matter.
_SCANS = limits.MAX_SCANNED_PIXELS // limits.MAX_PIXELS
# Bytes of the largest file that is examined in ways that copy it.
_QUICK = 2**24


def is_jpeg(encoded):
    """Whether a string scalar starts like a JPEG, whatever its file's name."""
    return tf.strings.substr(encoded, 0, 3) == b"\xff\xd8\xff"


def size(encoded):
    """int32 (2,), height and width; 1 x 1 for another format."""
    # Not tf.where, which would copy megabytes.
    return tf.cond(
        is_jpeg(encoded),
        lambda: tf.io.extract_jpeg_shape(encoded)[:2],
        lambda: tf.ones((2,), tf.int32),
    )


def look(encoded):
    """A JPEG's `size`, and whether it is whole and has few scans.

    Returns:
        int32 (2,), bool scalar; False for another format.
    """
    is_small = tf.strings.length(encoded) <= _QUICK
    is_plain = tf.cond(
        is_jpeg(encoded) & _ends(encoded) & is_small,
        lambda: _most_scans(encoded) <= _SCANS,
        lambda: False,
    )
    # This settles nearly all files; the call costs time for the others only.
    return tf.cond(
        is_plain,
        lambda: (tf.io.extract_jpeg_shape(encoded)[:2], True),
        lambda: _look_closer(encoded),
    )


def _most_scans(encoded):
    """An upper bound of the number of scans; `_count` goes byte by byte."""
    begun = graph_bytes.pairs(encoded, *limits.SCAN[:2])
    return tf.reduce_sum(tf.cast(begun, tf.int32))


@graph_bytes.call
def _look_closer(encoded):
    return size(encoded), is_whole(encoded) & has_few_scans(encoded)


def decode(encoded):
    """The pixels of a JPEG: string scalar to uint8 (H, W, 3)."""
    encoded = splits.checked(
        encoded, is_whole(encoded), "A JPEG that is truncated"
    )
    encoded = splits.checked(
        encoded, has_few_scans(encoded), "A JPEG of too many scans"
    )
    # What Pillow and browsers do; TensorFlow's default differs from it by 1
    # of 255 on average and by 12 at most.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def has_few_scans(encoded):
    """Whether `limits.are_few_scans` holds for a JPEG."""
    return tf.cond(
        _count(encoded, limits.SCAN, _SCANS + 1) <= _SCANS,
        lambda: True,
        lambda: _are_few(encoded),
    )


@graph_bytes.call
def _are_few(encoded):
    scans = _count(encoded, limits.SCAN, limits.MAX_SCANS + 1)
    pixels = tf.reduce_prod(tf.cast(size(encoded), tf.int64))
    return limits.are_few_scans(tf.cast(scans, tf.int64), pixels)


def _count(encoded, part, most):
    """How often some bytes occur in others, counted up to `most`."""
    # Not tf.strings.split, whose ragged result costs 0.1 ms.
    parts = tf.raw_ops.StringSplitV2(input=[encoded], sep=part, maxsplit=most)
    return tf.size(parts.values) - 1


def is_whole(encoded):
    """Whether a JPEG has its end marker: without it libjpeg warns."""
    # Not always the last bytes: some writers add more.
    branch = tf.cast(is_jpeg(encoded), tf.int32) * (
        1 + tf.cast(_ends(encoded), tf.int32)
    )
    return tf.switch_case(
        branch, [lambda: False, lambda: _has_end_marker(encoded), lambda: True]
    )


def _ends(encoded):
    """Whether the last bytes are the end marker of a JPEG."""
    length = tf.strings.length(encoded)
    last = tf.strings.substr(encoded, tf.maximum(length - 2, 0), 2)
    return last == b"\xff\xd9"


@graph_bytes.call
def _has_end_marker(encoded):
    def is_before_scan(at):
        return graph_bytes.number(encoded, at + 1, 1) != 0xDA

    def after_segment(at):
        # Any number of 0xff may come before the second byte of a marker.
        fills = graph_bytes.number(encoded, at + 1, 1) == 0xFF
        return tf.cond(
            fills,
            lambda: at + 1,
            lambda: (
                at + 2 + graph_bytes.number(encoded, at + 2, 2, order="big")
            ),
        )

    (scan,) = tf.while_loop(
        is_before_scan,
        lambda at: (after_segment(at),),
        (tf.constant(2),),
        maximum_iterations=_MAX_SEGMENTS,
    )
    rest = tf.strings.substr(encoded, scan, -1)
    # Coded pixels never hold these two bytes in a row.
    return _count(rest, b"\xff\xd9", 1) > 0
