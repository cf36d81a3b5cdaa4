"""What a BMP or a GIF says of itself, and which of them are read.

What the decoders in `bitmaps.py` and `first_frame.py` do not read is refused
here by its name.
"""

import struct

from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.pixels.headers import Header

# Bytes of a BMP's second header: OS/2's, Windows' and its later versions.
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
CORE_HEADER = 12  # OS/2's: sizes of two bytes, colours of three

# (bits of a pixel, compression) of a BMP; 3 is BITFIELDS, with masks.
BMP_LAYOUTS = (
    *((1, 0), (4, 0), (8, 0), (16, 0), (24, 0), (32, 0)),
    *((16, 3), (32, 3)),
)

# Red, green and blue of 16 bits: five each, or six for green.
MASKS_555 = (0x7C00, 0x03E0, 0x001F)
MASKS_565 = (0xF800, 0x07E0, 0x001F)
# Of 32 bits any three of the four bytes.
BYTE_MASKS = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)

# Blocks of a GIF up to the end of its first frame: 33 MB in full ones.
MAX_BLOCKS = 2**17

_COMPRESSIONS = {0: "none", 1: "RLE8", 2: "RLE4", 3: "BITFIELDS"}
_COMPRESSIONS |= {4: "JPEG", 5: "PNG", 6: "ALPHABITFIELDS"}
_BMP_MODES = {16: "RGB", 24: "RGB", 32: "RGBA"}


def bmp(encoded):
    """The `Header` of a BMP."""
    (size,) = struct.unpack_from("<I", encoded, 14)
    if size not in BMP_HEADERS:
        raise BadImageError(f"it is a BMP with a header of {size} bytes")
    width, height, bits, compression, colors = _bmp_fields(encoded, size)
    if (bits, compression) not in BMP_LAYOUTS:
        name = _COMPRESSIONS.get(compression, compression)
        raise BadImageError(
            f"it is a BMP of {bits} bits with compression {name}, which is "
            "not read"
        )
    if compression == 3:
        _check_masks(bits, struct.unpack_from("<III", encoded, 54))
    (start,) = struct.unpack_from("<I", encoded, 10)
    if bits <= 8:
        colors_end = 14 + size + (colors or 2**bits) * color_bytes(size)
        if colors > 2**bits or start < colors_end:
            raise BadImageError("the colours of its palette are damaged")
    elif start < 14 + size + 12 * (size == 40 and compression == 3):
        raise BadImageError("its pixels begin in its header")
    return Header(
        format="bmp",
        width=width,
        height=abs(height),  # negative: from top to bottom
        mode=_BMP_MODES.get(bits, "palette"),
    )


def color_bytes(header_size):
    """Of a colour of the palette, by the size of the second header."""
    return 3 if header_size == CORE_HEADER else 4


def _bmp_fields(encoded, size):
    if size == CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", encoded, 18)
        return width, height, bits, 0, 0
    width, height, _, bits, compression = struct.unpack_from(
        "<iiHHI", encoded, 18
    )
    (colors,) = struct.unpack_from("<I", encoded, 46)
    return width, height, bits, compression, colors


def _check_masks(bits, masks):
    if bits == 16:
        known = masks in (MASKS_555, MASKS_565)
    else:
        known = len(set(masks)) == 3 and set(masks) <= set(BYTE_MASKS)
    if not known:
        named = ", ".join(f"{mask:#x}" for mask in masks)
        raise BadImageError(
            f"it is a BMP of {bits} bits with the masks {named}, which is not "
            "read"
        )


def bmp_whole(encoded):
    """Raises `BadImageError` if pixels are missing."""
    start, size = struct.unpack_from("<I", encoded, 10)[0], encoded[14]
    width, height, bits, _, _ = _bmp_fields(encoded, size)
    row = -(-width * bits // 32) * 4
    if len(encoded) < start + row * abs(height):
        raise BadImageError("it is truncated")


def gif(encoded):
    """The `Header` of a GIF (GIF89a, sec. 18 and 20 to 27)."""
    width, height = struct.unpack_from("<HH", encoded, 6)
    frames = _frames(encoded, _budget())
    frame = struct.unpack_from("<HHHH", encoded, next(frames) + 1)
    if frame != (0, 0, width, height):
        raise BadImageError(
            f"its first frame, {frame[2]} x {frame[3]} pixels at "
            f"{frame[0]}, {frame[1]}, is not its screen, {width} x {height}, "
            "which is not read"
        )
    return Header(
        format="gif",
        width=width,
        height=height,
        mode="palette",
        animated=_has_more(frames),
    )


def _has_more(frames):
    try:
        return next(frames, None) is not None
    except (IndexError, BadImageError):
        return False  # nobody reads what is damaged there


def gif_whole(encoded):
    """Raises `BadImageError` or IndexError if the first frame is not whole."""
    budget = _budget()
    frame = next(_frames(encoded, budget))
    data = frame + 11 + _table(encoded[frame + 9])
    _after_blocks(encoded, data, budget)


def _frames(encoded, budget):
    """Where each frame begins; at least one."""
    at, found = 13 + _table(encoded[10]), False
    while encoded[at] != 0x3B:
        if encoded[at] == 0x2C:
            found = True
            yield at
            data = at + 11 + _table(encoded[at + 9])
            at = _after_blocks(encoded, data, budget)
        elif encoded[at] == 0x21:
            at = _after_blocks(encoded, at + 2, budget)
        else:
            raise BadImageError("it is damaged: an unknown block of a GIF")
    if not found:
        raise BadImageError("it is a GIF without a frame")


def _table(flags):
    """Bytes of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _budget():
    return iter(range(MAX_BLOCKS))


def _after_blocks(encoded, at, budget):
    while encoded[at]:
        if next(budget, None) is None:
            raise BadImageError(f"it is a GIF of over {MAX_BLOCKS:,} blocks")
        at += 1 + encoded[at]
    return at + 1
