"""How a camera was held, as a JPEG notes it, and pictures turned upright.

The note is tag 0x0112 of Exif 2.32, sec. 4.6.4: a SHORT of 1 to 8. A damaged
note or any other value means 1, upright, as in browsers. The notes of PNG and
WebP files are not read. All of this runs in a graph.

An orientation is an int32 scalar, or None where notes do not count.
"""

import tensorflow as tf

from keras_resnet.data.pixels import graph_bytes
from keras_resnet.data.pixels import jpegs

UPRIGHT = 1

# What turns a stored image upright, by its orientation: whether to exchange
# rows and columns; then whether to mirror top and bottom, left and right.
_TURNS = (
    (False, False, False),  # 0 is none
    (False, False, False),
    (False, False, True),
    (False, True, True),
    (False, True, False),
    (True, False, False),
    (True, False, True),
    (True, True, True),
    (True, True, False),
)

# Only the first bytes and segments of a file are searched for the note.
_MOST_BYTES, _MOST_SEGMENTS = 2**16, 8
_NAME = b"Exif\0\0"


def read(encoded, exif):
    """The orientation that a file notes, or None.

    Args:
        encoded: string scalar, an image file.
        exif: key of `labels.view.EXIF`.
    """
    if exif == "ignore":
        return None
    head = tf.strings.substr(encoded, 0, _MOST_BYTES)
    # For most files without a note the search ends here: an Exif segment begins
    # with these two bytes.
    segments = graph_bytes.pairs(head, 0xFF, 0xE1)
    return tf.cond(
        tf.reduce_any(segments) & jpegs.is_jpeg(encoded),
        lambda: _search(head),
        lambda: tf.constant(UPRIGHT),
    )


@graph_bytes.call
def _search(head):
    """The orientation in the first Exif segment of a JPEG."""
    name = tf.constant(list(_NAME), tf.int32)

    def bytes_at(place):
        return _padded(graph_bytes.part(head, place, 10), 10)

    def is_exif(segment):
        return (segment[1] == 0xE1) & tf.reduce_all(segment[4:] == name)

    place = tf.constant(2)
    for _ in range(_MOST_SEGMENTS):  # a loop in the graph would cost more
        segment = bytes_at(place)
        # Any number of 0xff may come before the second byte of a marker.
        length = 2 + 256 * segment[2] + segment[3]
        length = tf.where(segment[1] == 0xFF, 1, length)
        is_last = (segment[0] != 0xFF) | (segment[1] == 0xDA)
        place += tf.where(is_last | is_exif(segment), 0, length)
    segment = bytes_at(place)
    length = tf.maximum(256 * segment[2] + segment[3] - len(_NAME) - 2, 0)
    found = (segment[0] == 0xFF) & is_exif(segment)
    tiff = graph_bytes.part(head, place + 4 + len(_NAME), length)
    return tf.where(found, _of_tiff(tiff), UPRIGHT)


def _of_tiff(tiff):
    """The orientation in the first directory of a TIFF header's data."""
    header = _padded(tiff, 8)
    is_little = tf.reduce_all(header[:4] == (0x49, 0x49, 42, 0))
    is_big = tf.reduce_all(header[:4] == (0x4D, 0x4D, 0, 42))

    def number(raw):
        """The number in the last axis; -1 if it is 2**24 or more."""
        raw = tf.where(is_little, tf.reverse(raw, [-1]), raw)
        weights = [256**i for i in range(raw.shape[-1])][::-1]
        large = (raw[..., 0] > 0) & (raw.shape[-1] == 4)
        return tf.where(large, -1, tf.reduce_sum(raw * weights, axis=-1))

    at = tf.maximum(number(header[4:]), 0)
    count = number(_padded(graph_bytes.part(tiff, at, 2), 2))
    rows = tf.io.decode_raw(
        graph_bytes.part(tiff, at + 2, 12 * count), tf.uint8
    )
    # Only whole rows.
    rows = tf.reshape(rows[: tf.size(rows) // 12 * 12], (-1, 12))
    rows = tf.cast(rows, tf.int32)
    # The first one with the tag; zeros where none has it.
    row = rows[number(rows[:, :2]) == 0x0112][:1]
    row = tf.reduce_sum(row, axis=0)
    is_one_short = (number(row[2:4]) == 3) & (number(row[4:8]) == 1)
    value = number(row[8:10])
    valid = (is_little | is_big) & is_one_short & (value >= 1) & (value <= 8)
    return tf.where(valid, value, UPRIGHT)


def _padded(text, n):
    """The first n bytes of a string scalar as int32 (n,), then zeros."""
    return tf.cast(tf.io.decode_raw(text, tf.uint8, fixed_length=n), tf.int32)


def turn(image, orientation):
    """An image (H, W, 3) as it was stored, turned upright."""
    if orientation is None:
        return image

    def turned():
        swaps, mirrors = _turn(orientation)
        order = tf.where(swaps, (1, 0, 2), (0, 1, 2))
        mirrors = tf.concat([mirrors, [False]], axis=0)
        return tf.raw_ops.Reverse(
            tensor=tf.transpose(image, order), dims=mirrors
        )

    return tf.cond(orientation == UPRIGHT, lambda: image, turned)


def turned_size(size, orientation):
    """Height and width, int32 (..., 2), of images once they are turned."""
    swaps, _ = _turn(orientation)
    return tf.where(swaps[..., tf.newaxis], size[..., ::-1], size)


def mirrors(orientation):
    """bool (..., 2): whether turning mirrors top and bottom, left and right."""
    return _turn(orientation)[1]


def stored_window(corner, extent, size, orientation):
    """Where a window of a turned image lies in the stored image.

    Args:
        corner: int32 (..., 2), of the window in the turned image.
        extent: int32 (..., 2), height and width of the window there.
        size: int32 (..., 2), of the turned image.
        orientation: int32 (...), of the image.

    Returns:
        int32 (..., 4): top, left, height and width.
    """
    swaps, mirrored = _turn(orientation)
    swaps = swaps[..., tf.newaxis]
    corner = tf.where(mirrored, size - corner - extent, corner)
    return tf.concat(
        [tf.where(swaps, pair[..., ::-1], pair) for pair in (corner, extent)],
        axis=-1,
    )


def _turn(orientation):
    row = tf.gather(tf.constant(_TURNS), orientation)
    return row[..., 0], row[..., 1:]
