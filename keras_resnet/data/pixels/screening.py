"""Whether a file is worth decoding: a decoder allocates what a header asks."""

import re
import struct

from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels import palette_headers
from keras_resnet.data.pixels.headers import BadImageError

# A decoded image of so many pixels takes 400 MB.
MAX_PIXELS = 2**27

# First bytes, what reads the header, what looks for the end.
FORMATS = (
    (rb"\xff\xd8\xff", headers.jpeg, headers.jpeg_whole),
    (rb"\x89PNG\r\n\x1a\n", headers.png, headers.png_whole),
    (rb"GIF8[79]a", palette_headers.gif, palette_headers.gif_whole),
    (rb"BM", palette_headers.bmp, palette_headers.bmp_whole),
    (rb"RIFF....WEBP", headers.webp, headers.webp_whole),
)


def screen(encoded, max_pixels=MAX_PIXELS):
    """The header of a file that seems whole and small enough to decode.

    PNG carries checksums, which are compared; of the others only the end is
    looked for, and wrong bytes before it can only be seen by comparing with an
    earlier sha256 (see `manifest.py`).

    Args:
        encoded: bytes of the file.
        max_pixels: int, the greatest width times height.

    Returns:
        `headers.Header`.

    Raises:
        BadImageError: with the reason.
    """
    read, check_whole = format_of(encoded)
    try:
        header = read(encoded)
    except (struct.error, IndexError) as error:
        raise BadImageError("its header is cut off") from error
    size = f"{header.width} x {header.height} pixels"
    if min(header.width, header.height) < 1:
        raise BadImageError(f"its header says {size}")
    if header.width * header.height > max_pixels:
        raise BadImageError(
            f"its header says {size}, more than the limit of {max_pixels:,}"
        )
    try:
        check_whole(encoded)
    except (struct.error, IndexError) as error:
        raise BadImageError("it is truncated") from error
    return header


def format_of(encoded):
    """What reads the header and what looks for the end, by the first bytes.

    Raises:
        BadImageError: if they are no image's.
    """
    if not encoded:
        raise BadImageError("it is empty")
    for magic, read, check_whole in FORMATS:
        if re.match(magic, encoded, re.DOTALL):
            return read, check_whole
    raise BadImageError(f"it is not an image: {_guess(encoded)}")


_OTHERS = {
    rb"(II\*\0|MM\0\*)": "a TIFF file, which TensorFlow does not read",
    rb"....ftyp": "an AVIF, HEIC or video file, which TensorFlow does not read",
    rb"%PDF": "a PDF file",
    rb"\s*<": "HTML or XML text",
    rb"\0+$": "all its bytes are zero",
}


def _guess(encoded):
    for magic, name in _OTHERS.items():
        if re.match(magic, encoded, re.DOTALL):
            return name
    return f"it begins with {encoded[:8]!r}"
