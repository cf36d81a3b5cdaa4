"""What Pillow reads of an image file before a pixel is decoded.

The formats are those that TensorFlow decodes. A decoder allocates what a
header asks for, so check here before decoding outside of a graph.
"""

import contextlib
import dataclasses
import functools
import io
import re
import struct
import zlib

from keras_resnet.data.pixels import limits
from keras_resnet.data.pixels.limits import MAX_PIXELS


class BadImageError(ValueError):
    """A file that is not a whole image; the message is the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What a file claims.

    Attributes:
        format: "jpeg", "png", "gif", "bmp" or "webp", by its first bytes.
        width: pixels, as stored, whatever EXIF says.
        height: pixels.
        mode: "grey", "grey+alpha", "palette", "RGB", "RGBA" or "CMYK".
        bits: of a channel.
        animated: whether there is more than one frame.
        orientation: EXIF's, 1 to 8; 1 is upright.
    """

    format: str
    width: int
    height: int
    mode: str
    bits: int = 8
    animated: bool = False
    orientation: int = 1


# What a file begins with.
FORMATS = {
    "jpeg": rb"\xff\xd8\xff",
    "png": rb"\x89PNG\r\n\x1a\n",
    "gif": rb"GIF8[79]a",
    "bmp": rb"BM",
    "webp": rb"RIFF....WEBP",
}
_OTHERS = {
    "a TIFF file, which TensorFlow does not read": rb"(II\*\0|MM\0\*)",
    "an AVIF, HEIC or video file, which TensorFlow does not read": rb"....ftyp",
    "a PDF file": rb"%PDF",
    "HTML or XML text": rb"\s*<",
    "all its bytes are zero": rb"\0+$",
}
_MODES = {"1": "grey", "L": "grey", "I;16": "grey", "I": "grey"}
_MODES |= {"LA": "grey+alpha", "P": "palette"}


def read(encoded, max_pixels=MAX_PIXELS):
    """The `Header` of a file that seems whole and small enough to decode.

    PNG's checksums are compared. In other formats only the end is looked for;
    only an earlier sha256 reveals wrong bytes before it (see `manifest.py`).

    Args:
        encoded: bytes of the file.
        max_pixels: int, the greatest width times height.

    Raises:
        BadImageError: with the reason, one line.
    """
    name = format_of(encoded)
    file = _Bounded(encoded)
    try:
        if name == "png":  # Pillow fills a canvas for an animated one.
            _check_size(struct.unpack_from(">II", encoded, 16), max_pixels)
        image = plugins()[name](file)
    except BadImageError:
        raise
    except Exception as error:  # whatever Pillow's plugins raise
        why = " ".join(str(error).split())
        raise BadImageError(
            f"its header is cut off or damaged: {why}"
        ) from error
    _check_size(image.size, max_pixels)
    try:
        _CHECKS[name](image, file)
    except (struct.error, IndexError) as error:
        raise BadImageError("it is truncated") from error
    file.left = 2**11 * limits.MAX_BLOCKS  # for the frames of a GIF
    return Header(
        format=name,
        width=image.width,
        height=image.height,
        mode=_MODES.get(image.mode, image.mode),
        bits=16 if name == "png" and encoded[24] == 16 else 8,
        animated=_is_animated(image),
        orientation=_orientation(image),
    )


def format_of(encoded):
    """The name of a format, by the first bytes.

    Raises:
        BadImageError: if they are not those of an image.
    """
    if not encoded:
        raise BadImageError("it is empty")
    for name, magic in FORMATS.items():
        if re.match(magic, encoded, re.DOTALL):
            return name
    for other, magic in _OTHERS.items():
        if re.match(magic, encoded, re.DOTALL):
            raise BadImageError(f"it is not an image: {other}")
    raise BadImageError(f"it is not an image: it begins with {encoded[:8]!r}")


class _Bounded(io.BytesIO):
    """A file that stops the reader of a header with too many blocks."""

    left = 2**24  # bytes; each read counts 1,024 more

    def read(self, size=-1, /):
        self.left -= 2**10 + max(size or 0, 0)
        if self.left < 0:
            raise BadImageError("its header has too many blocks")
        return super().read(size)


@functools.cache
def plugins():
    """Pillow's readers, which decode nothing yet.

    `PIL.Image.open` would warn about sizes that we allow, and take a phone's
    JPEG for a series of frames (MPO).
    """
    from PIL import BmpImagePlugin
    from PIL import GifImagePlugin
    from PIL import JpegImagePlugin
    from PIL import PngImagePlugin
    from PIL import WebPImagePlugin

    return {
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "webp": WebPImagePlugin.WebPImageFile,
    }


def _check_size(size, max_pixels):
    width, height = size
    text = f"its header says {width} x {height} pixels"
    if min(size) < 1:
        raise BadImageError(text)
    if width * height > max_pixels:
        raise BadImageError(f"{text}, more than the limit of {max_pixels:,}")


def _is_animated(image):
    with contextlib.suppress(Exception):  # later frames are not read
        return getattr(image, "is_animated", False)
    return False


def _orientation(image):
    """Tag 274 of EXIF, or 1; damaged EXIF rotates nothing."""
    from PIL import Image

    exif = Image.Exif()
    with contextlib.suppress(Exception):
        exif.load(image.info.get("exif"))
        value = exif.get(274, 1)
        return value if value in range(1, 9) else 1
    return 1


def _check_jpeg(image, file):
    # Pillow stops after the header. Coded pixels never hold these two bytes in
    # a row.
    if file.getvalue().find(b"\xff\xd9", file.tell()) < 0:
        raise BadImageError("it is truncated: its end marker is missing")
    scans = file.getvalue().count(limits.SCAN)
    if not limits.are_few_scans(scans, image.width * image.height):
        raise BadImageError(f"it has {scans:,} scans, which take too long")


def _check_png(image, file):
    """Compares the checksum of every chunk (ISO/IEC 15948, sec. 5.3)."""
    encoded, kind, at = memoryview(file.getvalue()), None, 8
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", encoded, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", encoded, end)
        if zlib.crc32(encoded[at + 4 : end]) != checksum:
            # Letters by the standard; anything else may be a line break.
            name = kind.decode() if kind.isalpha() else "unnamed"
            raise BadImageError(f"the checksum of its {name} chunk is wrong")
        at = end + 4


def _check_gif(image, file):
    """The first frame fills the screen and is whole (GIF89a, sec. 15, 20)."""
    encoded, (_, frame, at, _) = file.getvalue(), image.tile[0]
    screen = struct.unpack_from("<HH", encoded, 6)
    if frame != (0, 0, *screen):
        raise BadImageError(
            f"its first frame, {frame}, is not its screen of {screen[0]} x "
            f"{screen[1]} pixels, which is not read"
        )
    for _ in range(limits.MAX_BLOCKS):
        if not encoded[at]:
            return
        at += 1 + encoded[at]
    raise BadImageError(f"it is a GIF of over {limits.MAX_BLOCKS:,} blocks")


def _check_bmp(image, file):
    ((decoder, _, _, layout),) = image.tile
    if decoder != "raw":
        raise BadImageError("it is a BMP of coded runs, which is not read")
    encoded = file.getvalue()
    (start,) = struct.unpack_from("<I", encoded, 10)
    if start < file.tell():  # Pillow stops after header and palette
        raise BadImageError("its pixels begin in its header")
    _, row, _ = layout
    if len(encoded) < start + row * image.height:
        raise BadImageError("it is truncated")


def _check_webp(image, file):
    if _is_animated(image):
        raise BadImageError("it is an animated WebP, which is not read")


_CHECKS = {
    "jpeg": _check_jpeg,
    "png": _check_png,
    "gif": _check_gif,
    "bmp": _check_bmp,
    "webp": _check_webp,
}
