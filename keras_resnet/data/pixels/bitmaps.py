"""BMP files in a graph; TensorFlow's decoder takes indices for pixels."""

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import graph_bytes

# Bytes of the second header: OS/2's, Windows' and its later versions.
_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_CORE_HEADER = 12  # OS/2's: sizes of two bytes, colours of three

# (bits of a pixel, compression); 3 is BITFIELDS, with masks.
_LAYOUTS = (
    *((1, 0), (4, 0), (8, 0), (16, 0), (24, 0), (32, 0)),
    *((16, 3), (32, 3)),
)

# Red, green and blue in 16 bits: five bits each, or six for green.
_MASKS_555 = (0x7C00, 0x03E0, 0x001F)
_MASKS_565 = (0xF800, 0x07E0, 0x001F)
# Masks of 32 bits that Pillow reads too: which bytes they are.
_BYTE_MASKS = {
    (0xFF0000, 0xFF00, 0xFF): (2, 1, 0),
    (0xFF000000, 0xFF0000, 0xFF00): (3, 2, 1),
    (0xFF000000, 0xFF00, 0xFF): (3, 1, 0),
    (0xFF, 0xFF00, 0xFF0000): (0, 1, 2),
}

_FIELDS = ("width", "height", "bits", "compression", "colors")


@graph_bytes.call
def size(encoded):
    """int32 (2,), height and width, of a BMP: string scalar."""
    fields = _fields(encoded)
    # A negative height means that rows go downwards.
    return tf.stack([tf.abs(fields["height"]), fields["width"]])


@graph_bytes.call
def decode(encoded):
    """The pixels of a BMP that `headers.read` does not refuse.

    Args:
        encoded: string scalar, of an allowed size.

    Returns:
        uint8 (H, W, 3).

    Raises:
        tf.errors.InvalidArgumentError: if it is not whole, or of another kind.
    """
    fields = _fields(encoded)
    layout = tf.stack([fields["bits"], fields["compression"]])
    known = _is_row(layout, _LAYOUTS)
    known &= tf.reduce_any(fields["header"] == tf.constant(_HEADERS))
    what = "A BMP of this header, depth or compression is not read"
    rows = _rows(encoded, fields | {"bits": _if(known, fields["bits"], what)})
    kind = tf.reduce_sum(tf.cast(fields["bits"] >= (16, 24), tf.int32))
    image = tf.switch_case(
        kind,
        [
            lambda: _of_palette(encoded, fields, rows),
            lambda: _of_16_bits(encoded, fields, rows),
            lambda: _of_bytes(encoded, fields, rows),
        ],
    )
    downwards = fields["height"] < 0
    return tf.cond(downwards, lambda: image, lambda: tf.reverse(image, [0]))


def _if(valid, value, message):
    return splits.checked(value, valid, message)


def _is_row(row, rows):
    return tf.reduce_any(tf.reduce_all(row == tf.constant(rows), axis=1))


def _fields(encoded):
    """The numbers of the headers, int32 scalars by their names."""
    header = graph_bytes.number(encoded, 14, 4)

    def core():
        numbers = graph_bytes.numbers(encoded, (18, 20, 24), 2)
        return tf.concat([numbers, [0, 0]], axis=0)

    def later():
        sides = graph_bytes.numbers(encoded, (18, 22), 4)
        bits = graph_bytes.numbers(encoded, (28,), 2)
        others = graph_bytes.numbers(encoded, (30, 46), 4)
        return tf.concat([sides, bits, others], axis=0)

    is_core = header == _CORE_HEADER
    numbers = tf.unstack(tf.cond(is_core, core, later), len(_FIELDS))
    return dict(zip(_FIELDS, numbers, strict=True)) | {
        "header": header,
        "start": graph_bytes.number(encoded, 10, 4),
    }


def _rows(encoded, fields):
    """uint8 (H, bytes of a row), as they are stored."""
    height = tf.cast(tf.abs(fields["height"]), tf.int64)
    bits = tf.cast(fields["width"], tf.int64) * tf.cast(
        fields["bits"], tf.int64
    )
    row, start = (bits + 31) // 32 * 4, tf.cast(fields["start"], tf.int64)
    masks = (fields["header"] == 40) & (fields["compression"] == 3)
    after = 14 + fields["header"] + 12 * tf.cast(masks, tf.int32)
    start = _if(
        fields["start"] >= after, start, "The pixels of a BMP in its header"
    )
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    whole = start + row * height <= length
    start = _if(whole, start, "A BMP that is truncated")
    raw = tf.strings.substr(encoded, start, row * height)
    return tf.reshape(tf.io.decode_raw(raw, tf.uint8), tf.stack([height, row]))


def _of_palette(encoded, fields, rows):
    bits = fields["bits"]
    shifts = tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8)
    last = tf.cast(tf.bitwise.left_shift(1, bits) - 1, tf.uint8)
    parts = tf.bitwise.right_shift(rows[..., tf.newaxis], shifts)
    parts = tf.bitwise.bitwise_and(parts, last)
    places = tf.reshape(parts, tf.stack([tf.shape(rows)[0], -1]))
    places = tf.cast(places[:, : fields["width"]], tf.int32)
    return tf.gather(_palette(encoded, fields), places)


def _palette(encoded, fields):
    """uint8 (256, 3), RGB; black where the file names no colour."""
    most = tf.bitwise.left_shift(1, fields["bits"])
    number = tf.where(fields["colors"] == 0, most, fields["colors"])
    is_core = fields["header"] == _CORE_HEADER
    width, first = tf.where(is_core, 3, 4), 14 + fields["header"]
    valid = (number > 0) & (number <= most)
    valid &= first + number * width <= fields["start"]
    number = _if(valid, number, "A BMP whose palette is damaged")
    raw = graph_bytes.part(encoded, first, number * width)
    raw = tf.io.decode_raw(raw, tf.uint8)
    colors = tf.reshape(raw, tf.stack([number, width]))[:, :3]
    return tf.pad(tf.reverse(colors, [1]), [[0, 256 - number], [0, 0]])


def _masks(encoded, fields, default):
    """int32 (3,), which bits are red, green and blue."""
    return tf.cond(
        fields["compression"] == 3,
        lambda: graph_bytes.numbers(encoded, (54, 58, 62), 4),
        lambda: tf.constant(default),
    )


def _of_16_bits(encoded, fields, rows):
    masks = _masks(encoded, fields, _MASKS_555)
    known = (_MASKS_555, _MASKS_565)
    masks = _if(
        _is_row(masks, known), masks, "A BMP with these masks is not read"
    )
    low, high = (tf.cast(rows[:, at::2], tf.int32) for at in (0, 1))
    pixels = (low + 256 * high)[:, : fields["width"]]

    def channel(mask):
        lowest = tf.bitwise.bitwise_and(mask, -mask)
        value = tf.bitwise.bitwise_and(pixels, mask) // lowest
        return tf.cast(value * 255 // (mask // lowest), tf.uint8)

    return tf.stack([channel(mask) for mask in tf.unstack(masks)], axis=-1)


def _of_bytes(encoded, fields, rows):
    """The pixels of a BMP of 24 or 32 bits."""
    # The highest bit of numbers of four bytes is a sign.
    known = np.array(list(_BYTE_MASKS), np.uint32).view(np.int32)
    masks = _masks(encoded, fields, known[0])
    found = tf.reduce_all(masks == known, axis=1)
    valid = tf.reduce_any(found)
    found = _if(valid, found, "A BMP with these masks is not read")
    kind = tf.argmax(tf.cast(found, tf.int32))
    places = tf.gather(list(_BYTE_MASKS.values()), kind)
    per_pixel = fields["bits"] // 8
    pixels = tf.reshape(
        rows[:, : fields["width"] * per_pixel],
        tf.stack([tf.shape(rows)[0], fields["width"], per_pixel]),
    )
    return tf.gather(pixels, places, axis=2)
