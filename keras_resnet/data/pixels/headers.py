"""What an image file says of itself, before a pixel is decoded.

The formats are those that TensorFlow decodes.
"""

import dataclasses
import struct
import zlib


class BadImageError(ValueError):
    """A file that is not a whole image; the message is the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What a file claims.

    Attributes:
        format: "jpeg", "png", "gif", "bmp" or "webp", by its first bytes.
        width: pixels, as stored: an EXIF rotation is not applied.
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


# JPEG: ITU-T T.81, annex B. Markers with the frame's size; not DHT, JPG, DAC.
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_JPEG_MODES = {1: "grey", 3: "RGB", 4: "CMYK"}


def _segments(encoded):
    """(marker, first byte after its length, end) up to the first scan."""
    at = 2
    while True:
        if encoded[at] != 0xFF:
            raise BadImageError("its header is damaged")
        while encoded[at] == 0xFF:  # fill bytes
            at += 1
        (length,) = struct.unpack_from(">H", encoded, at + 1)
        yield encoded[at], at + 3, at + 1 + length
        at += 1 + length


def jpeg(encoded):
    orientation = 1
    for marker, start, end in _segments(encoded):
        if marker == _APP1 and encoded[start : start + 6] == b"Exif\0\0":
            orientation = _orientation(encoded[start + 6 : end])
        if marker == _START_OF_SCAN:
            raise BadImageError("its header gives no size")
        if marker in _START_OF_FRAME:
            break
    bits, height, width, channels = struct.unpack_from(">BHHB", encoded, start)
    return Header(
        format="jpeg",
        width=width,
        height=height,
        mode=_JPEG_MODES.get(channels, f"{channels} channels"),
        bits=bits,
        orientation=orientation,
    )


def jpeg_whole(encoded):
    for marker, start, _ in _segments(encoded):
        if marker == _START_OF_SCAN:
            break
    # Coded pixels never hold these two bytes in a row.
    if encoded.find(b"\xff\xd9", start) < 0:
        raise BadImageError("it is truncated: its end marker is missing")


def _orientation(tiff):
    """Tag 274 of the first directory of EXIF, or 1."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            at = directory + 2 + 12 * entry
            (tag,) = struct.unpack_from(f"{order}H", tiff, at)
            if tag == 274:
                (value,) = struct.unpack_from(f"{order}H", tiff, at + 8)
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass  # damaged EXIF rotates nothing
    return 1


# PNG: ISO/IEC 15948, sec. 11.2.2.
_PNG_MODES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey+alpha", 6: "RGBA"}


def _chunks(encoded):
    """(type, first byte of the data, end of the data) of a PNG."""
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", encoded, at)
        yield kind, at + 8, at + 8 + length
        at += 12 + length


def png(encoded):
    animated, orientation = False, 1
    for kind, start, end in _chunks(encoded):
        if kind == b"IDAT":
            break
        animated |= kind == b"acTL"
        if kind == b"eXIf":
            orientation = _orientation(encoded[start:end])
    width, height, bits, color = struct.unpack_from(">IIBB", encoded, 16)
    return Header(
        format="png",
        width=width,
        height=height,
        mode=_PNG_MODES.get(color, f"colour type {color}"),
        bits=bits if bits == 16 else 8,  # 1, 2 and 4 are scaled
        animated=animated,
        orientation=orientation,
    )


def png_whole(encoded):
    view = memoryview(encoded)
    for kind, start, end in _chunks(encoded):
        (checksum,) = struct.unpack_from(">I", encoded, end)
        if zlib.crc32(view[start - 4 : end]) != checksum:
            # Letters by the standard: anything else may hold a line break.
            name = kind.decode() if kind.isalpha() else "unnamed"
            raise BadImageError(f"the checksum of its {name} chunk is wrong")
        if kind == b"IEND":
            return


def webp(encoded):
    """RFC 9649, sec. 2.7: the extended, the lossless or the lossy header."""
    kind, animated, alpha, orientation = encoded[12:16], False, False, 1
    if kind == b"VP8X":
        flags, width, height = struct.unpack("<B3x3s3s", encoded[20:30])
        width, height = (
            1 + int.from_bytes(side, "little") for side in (width, height)
        )
        animated, alpha = bool(flags & 0x02), bool(flags & 0x10)
        exif = encoded.find(b"EXIF", 30) if flags & 0x08 else -1
        if exif > 0:
            tiff = encoded[exif + 8 :].removeprefix(b"Exif\0\0")
            orientation = _orientation(tiff)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", encoded, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        alpha = bool(bits >> 28 & 1)
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", encoded, 26)
        width, height = width & 0x3FFF, height & 0x3FFF
    else:
        raise BadImageError("it is a WebP of no known kind")
    if animated:
        raise BadImageError("it is an animated WebP, which is not read")
    return Header(
        format="webp",
        width=width,
        height=height,
        mode="RGBA" if alpha else "RGB",
        orientation=orientation,
    )


def webp_whole(encoded):
    (length,) = struct.unpack_from("<I", encoded, 4)
    if len(encoded) < 8 + length:
        raise BadImageError("it is truncated")
