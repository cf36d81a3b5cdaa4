"""Encoded images: what format, how large, which pixels.

The header is read before the pixels, so that a file that claims too many is
refused at no cost. All but `problem` and `reason` runs in a graph; `headers.py`
reads headers outside of one.
"""

import functools
import re

import tensorflow as tf

from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import bitmaps
from keras_resnet.data.pixels import first_frame
from keras_resnet.data.pixels import graph_bytes
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels import jpegs
from keras_resnet.data.pixels import orientations
from keras_resnet.data.pixels.headers import MAX_PIXELS


def decode(encoded, exif="ignore"):
    """The pixels of a JPEG, PNG, BMP, WebP or GIF (its first frame).

    Args:
        encoded: string scalar. Grey becomes RGB, CMYK is converted, 16 bits
            become 8, alpha is dropped.
        exif: key of `labels.view.EXIF`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        tf.errors.InvalidArgumentError: if it cannot be read, is of a kind that
            `headers.read` refuses, or has more than MAX_PIXELS.
    """
    with tf.control_dependencies([refuse_if_too_large(header_size(encoded))]):
        encoded = tf.identity(encoded)
    image = tf.cond(
        jpegs.is_jpeg(encoded),
        lambda: jpegs.decode(encoded),
        lambda: _decode_other(encoded),
    )
    image = orientations.turn(image, orientations.read(encoded, exif))
    return tf.ensure_shape(image, (None, None, 3))


def pixels(image, exif):
    """uint8 (H, W, 3) of an encoded file, or of an image that is that already.

    `image` and `exif` are as for `decode`.
    """
    return decode(image, exif) if image.dtype == tf.string else image


# A call within a call: the rarer formats are hundreds of operations, which
# TensorFlow then prepares only when the first such file comes.
@graph_bytes.call
def _decode_other(encoded):
    decoders = [
        lambda: tf.io.decode_png(encoded, channels=3),
        lambda: _decode_gif(encoded),
        lambda: bitmaps.decode(encoded),
        lambda: _decode_webp(encoded),
    ]
    image = tf.switch_case(_format_index(encoded) - 1, decoders)
    return tf.ensure_shape(image, (None, None, 3))


@graph_bytes.call
def _decode_gif(encoded):
    frames = tf.io.decode_gif(first_frame.alone(encoded))
    return tf.ensure_shape(frames, (1, None, None, 3))[0]


@graph_bytes.call
def _decode_webp(encoded):
    # The decoder takes only the number of channels that the file has, or 0.
    chunk = tf.strings.substr(encoded, 12, 4)
    animated = tf.cond(
        chunk == b"VP8X",
        lambda: graph_bytes.number(encoded, 20, 1) // 2 % 2 == 1,
        lambda: False,
    )
    encoded = splits.checked(encoded, ~animated, "An animated WebP is not read")
    image = tf.io.decode_image(encoded, channels=0, expand_animations=False)
    return tf.ensure_shape(image, (None, None, None))[..., :3]


def refuse_if_too_large(size):
    """An operation that fails for a size that `is_allowed` does not allow."""
    guard = tf.debugging.Assert(
        is_allowed(size),
        ["An image of more than", MAX_PIXELS, "pixels (height, width):", size],
    )
    return tf.no_op() if guard is None else guard


def is_allowed(size):
    """Whether images of int (..., 2), height and width, may be decoded."""
    pixels = tf.reduce_prod(tf.cast(size, tf.int64), axis=-1)
    return tf.logical_and(pixels > 0, pixels <= MAX_PIXELS)


def header_size(encoded):
    """Height and width as the header states them.

    Args:
        encoded: string scalar.

    Returns:
        int32 (2,).

    Raises:
        tf.errors.InvalidArgumentError: if it is of no format that TensorFlow
            decodes, or the header is not whole.
    """
    size = tf.cond(
        jpegs.is_jpeg(encoded),
        lambda: tf.io.extract_jpeg_shape(encoded)[:2],
        lambda: _size_of_other(encoded),
    )
    return tf.ensure_shape(size, (2,))


@graph_bytes.call
def _size_of_other(encoded):
    sizes = [
        lambda: graph_bytes.numbers(encoded, (20, 16), 4, "big"),
        lambda: graph_bytes.numbers(encoded, (8, 6), 2),
        lambda: bitmaps.size(encoded),
        lambda: _webp_size(encoded),
        lambda: _refuse(encoded),
    ]
    return tf.switch_case(_format_index(encoded) - 1, sizes)


def _format_index(encoded):
    begins = functools.partial(tf.strings.substr, encoded, 0)
    found = [
        jpegs.is_jpeg(encoded),
        begins(8) == b"\x89PNG\r\n\x1a\n",
        (begins(6) == b"GIF87a") | (begins(6) == b"GIF89a"),
        begins(2) == b"BM",
        tf.logical_and(
            begins(4) == b"RIFF",
            tf.strings.substr(tf.strings.join([begins(12), 12 * b"\0"]), 8, 4)
            == b"WEBP",
        ),
        True,
    ]
    return tf.argmax(tf.stack(found), output_type=tf.int32)


@graph_bytes.call
def _webp_size(encoded):
    def lossless():  # 14 bits of width - 1, then 14 of height - 1
        bits = graph_bytes.numbers(encoded, (21,), 4)[0]
        width = tf.bitwise.bitwise_and(bits, 0x3FFF)
        height = tf.bitwise.bitwise_and(
            tf.bitwise.right_shift(bits, 14), 0x3FFF
        )
        return 1 + tf.stack([height, width])

    def extended():
        return 1 + graph_bytes.numbers(encoded, (27, 24), 3)

    def lossy():
        return tf.bitwise.bitwise_and(
            graph_bytes.numbers(encoded, (28, 26), 2), 0x3FFF
        )

    chunk = tf.strings.substr(encoded, 12, 4)
    index = tf.cast(chunk == b"VP8X", tf.int32) + 2 * tf.cast(
        chunk == b"VP8 ", tf.int32
    )
    return tf.switch_case(index, [lossless, extended, lossy])


def _refuse(encoded):
    # Python raises UnicodeDecodeError for a message that is not UTF-8.
    begin = tf.strings.unicode_transcode(
        tf.strings.substr(encoded, 0, 12),
        "UTF-8",
        "UTF-8",
        replacement_char=ord("?"),
    )
    guard = tf.debugging.Assert(
        False, ["Not an image of a known format; it begins with", begin]
    )
    with tf.control_dependencies([guard]):
        return tf.zeros((2,), tf.int32)


def problem(encoded):
    """Why a file cannot be decoded, or None.

    Every pixel is decoded, which finds most truncated files; a changed byte
    inside a JPEG mostly goes unnoticed, as it has no checksum.

    Args:
        encoded: bytes.

    Returns:
        str, one line.
    """
    try:
        headers.read(encoded)
        decode(encoded)
    except headers.BadImageError as error:
        return str(error)
    except graphs.READ_ERRORS as error:
        return reason(error)
    return None


def reason(error):
    """What one of `graphs.READ_ERRORS` says, in one line."""
    if isinstance(error, UnicodeDecodeError):
        message = error.object.decode(errors="replace")
    else:
        message = error.message
    # The line before those that say which of its operations failed.
    lines = message.split("\n\t [[")[0].splitlines() or [""]
    line = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", lines[-1])
    line = re.sub(r"^assertion failed: \[([^]]*)\]$", r"\1", line.strip())
    return line.strip() or type(error).__name__
