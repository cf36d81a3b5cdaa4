"""JPEGs with valid and invalid notes of how their camera was held."""

import io
import struct

import numpy as np
import odd_images
from PIL import Image
from PIL import ImageOps

# A JPEG without a note. Its sides are whole blocks, so turns are exact.
JPEG = odd_images.encode(
    odd_images.photograph(64, 48), "JPEG", quality=95, subsampling=0
)


def tiff(*rows, order=">", directory=8, magic=42):
    """What Exif holds: rows of (tag, type, count, value)."""
    start = {">": b"MM", "<": b"II"}[order]
    start += struct.pack(f"{order}HI", magic, directory)
    entries = [struct.pack(f"{order}HHIHH", *row, 0) for row in rows]
    number = struct.pack(f"{order}H", len(rows))
    return start.ljust(directory, b"\0") + number + b"".join(entries) + bytes(4)


def segment(data, name=b"Exif\0\0", marker=0xE1):
    content = name + data
    return struct.pack(">BBH", 255, marker, len(content) + 2) + content


def turned(orientation, jpeg=JPEG, **layout):
    """A JPEG with a note of an orientation."""
    data = tiff((0x112, 3, 1, orientation), **layout)
    return jpeg[:2] + segment(data) + jpeg[2:]


def upright(file):
    """What Pillow makes of a file, uint8 (H, W, 3)."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))


def _with(*segments):
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


_SIX = tiff((0x112, 3, 1, 6))
_OTHER = segment(bytes(10), b"other", 0xEB)

# {name: (file, the orientation that counts)}.
UNUSUAL = {
    "little": (turned(6, order="<"), 6),
    "odd place": (turned(6, directory=11), 6),
    "second row": (_with(segment(tiff((0x110, 3, 1, 3), (274, 3, 1, 6)))), 6),
    "the first counts": (
        _with(segment(tiff((274, 3, 1, 6), (274, 3, 1, 3)))),
        6,
    ),
    "two notes": (_with(segment(_SIX), segment(tiff((274, 3, 1, 3)))), 6),
    "after others": (_with(*8 * [_OTHER], segment(_SIX)), 6),
    "fill bytes": (_with(b"\xff\xff", segment(_SIX)), 6),
    "a count too large": (
        _with(segment(_SIX[:8] + b"\xff\xff" + _SIX[10:])),
        6,
    ),
    "after too many": (_with(*9 * [_OTHER], segment(_SIX)), 1),
    "too late": (_with(segment(bytes(65_500), b"", 0xEB), segment(_SIX)), 1),
    "nowhere": (_with(segment(b"Exif\0\0" + _SIX, b"", 0xEB)), 1),
    "another name": (_with(segment(_SIX, b"Exim\0\0")), 1),
    "half a name": (_with(segment(_SIX, b"Exif\0\1")), 1),
    "0": (turned(0), 1),
    "9": (turned(9), 1),
    "LONG": (_with(segment(tiff((0x112, 4, 1, 6)))), 1),
    "two numbers": (_with(segment(tiff((0x112, 3, 2, 6)))), 1),
    "magic": (turned(6, magic=43), 1),
    "order": (_with(segment(b"MI" + _SIX[2:])), 1),
    "directory behind the end": (_with(segment(_SIX[:8].ljust(8)[:7])), 1),
    "directory at 4 GB": (_with(segment(_SIX[:4] + b"\xff" * 4)), 1),
    "directory at itself": (_with(segment(_SIX[:4] + bytes(4))), 1),
    "cut in the row": (_with(segment(_SIX[:20])), 1),
    "nothing": (_with(segment(b"")), 1),
    "a segment of 0 bytes": (_with(b"\xff\xe1\0\0Exif\0\0" + _SIX), 1),
}
