"""Every depth, layout and compression of BMP, PNG, GIF and WebP, as files.

Files that Pillow cannot write are written byte by byte. Every case is either
read as Pillow reads it, or refused. The pixels are noise, so that none is right
by chance.
"""

import io
import struct
import zlib

import numpy as np
import odd_images
from odd_images import encode
from PIL import Image

W, H = 37, 21
_RNG = np.random.default_rng(0)
RGB = Image.fromarray(_RNG.integers(0, 256, (H, W, 3), np.uint8))


def _rgba():
    alpha = _RNG.integers(0, 256, (H, W), np.uint8)
    image = RGB.copy()
    image.putalpha(Image.fromarray(alpha))
    return image


def _noise(count, below=256):
    return _RNG.integers(0, below, count, np.uint8).tobytes()


def _row(bits):
    return -(-W * bits // 32) * 4


def bmp(bits, *, height=H, header=40, compression=0, masks=(), colors=0):
    """A BMP of noise with a palette of noise, if it has one."""
    number = colors or (2**bits if bits <= 8 else 0)
    pixels = _noise(_row(bits) * H, colors or 256)
    if header == 12:
        fields = struct.pack("<HHHH", W, height, 1, bits)
        palette = _noise(3 * number)
    else:
        fields = struct.pack(
            "<iiHHIIiiII",
            *(W, height, 1, bits, compression, len(pixels), 0, 0, colors, 0),
        )[: header - 4]
        palette = _noise(4 * number)
    fields += struct.pack(f"<{len(masks)}I", *masks)
    fields = fields.ljust(header - 4, b"\0")
    start = 18 + len(fields) + len(palette)
    return (
        struct.pack("<2sIIII", b"BM", start + len(pixels), 0, start, header)
        + fields
        + palette
        + pixels
    )


def _bmps():
    for bits in (1, 4, 8, 16, 24, 32):
        yield f"{bits} bits", bmp(bits), True
        yield f"{bits} bits, downwards", bmp(bits, height=-H), True
        for header in (12, 56, 64, 108, 124):
            yield (
                f"{bits} bits, header {header}",
                bmp(bits, header=header),
                True,
            )
    yield "16 bits, header 16", bmp(16, header=16), False
    yield "2 bits", bmp(2), False
    for colors in (1, 5, 200):
        yield f"{colors} colours", bmp(8, colors=colors), True
    yield "indices behind the palette", _behind_the_palette(), True
    short = bytearray(bmp(8))
    short[46:50] = struct.pack("<I", 300)
    yield "300 colours", bytes(short), False
    early = bytearray(bmp(8))
    early[10:14] = struct.pack("<I", 54)
    yield "pixels over the palette", bytes(early), False
    for name, masks in MASKS.items():
        bits = 16 if max(masks) < 2**16 else 32
        for header in (40, 52, 56, 108, 124):
            file = bmp(bits, header=header, compression=3, masks=masks)
            right = name in ("555", "565", "BGR0", "0BGR")
            yield f"masks {name}, header {header}", file, right
    for header in (56, 108, 124):  # with a mask for alpha too
        masks = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)
        file = bmp(32, header=header, compression=3, masks=masks)
        yield f"masks RGBA, header {header}", file, True
    for compression, name in (
        (1, "RLE8"),
        (2, "RLE4"),
        (4, "JPEG"),
        (5, "PNG"),
    ):
        bits = 4 if compression == 2 else 8
        yield name, bmp(bits, compression=compression), False


MASKS = {
    "555": (0x7C00, 0x3E0, 0x1F),
    "565": (0xF800, 0x7E0, 0x1F),
    "444": (0xF00, 0xF0, 0xF),
    "BGR0": (0xFF0000, 0xFF00, 0xFF),
    "0BGR": (0xFF000000, 0xFF0000, 0xFF00),
    "10 bits": (0x3FF00000, 0xFFC00, 0x3FF),
    "twice": (0xFF00, 0xFF00, 0xFF0000),
}


def _behind_the_palette():
    file = bytearray(bmp(8, colors=5))
    file[-_row(8) :] = b"\x07" * _row(8)
    return bytes(file)


# A pass: first row, first column, and their steps (ISO/IEC 15948, 8.2).
_ADAM7 = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(bits, color, *, interlaced=False, chunks=(), colors=None):
    """A PNG of noise."""
    most = colors or 2**bits
    samples = _RNG.integers(0, most, (H, W, _CHANNELS[color]), np.uint16)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    data = b"".join(
        b"\0" + _packed(row, bits)
        for top, left, down, right in passes
        for row in samples[top::down, left::right]
    )
    fields = (W, H, bits, color, 0, 0, int(interlaced))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", *fields)),
        *chunks,
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    ]
    return odd_images.png(chunks)


def _packed(row, bits):
    if bits == 16:
        return row.astype(">u2").tobytes()
    digits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)
    return np.packbits(digits[:, 8 - bits :]).tobytes()


def _pngs():
    palette = (b"PLTE", _noise(3 * 256))
    depths = {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}
    for color in _CHANNELS:
        for bits in depths.get(color, (8, 16)):
            chunks = [(b"PLTE", palette[1][: 3 << bits])] if color == 3 else []
            name = f"colour type {color}, {bits} bits"
            yield name, png(bits, color, chunks=chunks), True
            interlaced = png(bits, color, chunks=chunks, interlaced=True)
            yield f"{name}, interlaced", interlaced, True
            for gamma in (20_000, 100_000):
                chunk = (b"gAMA", struct.pack(">I", gamma))
                file = png(bits, color, chunks=[chunk, *chunks])
                yield f"{name}, gamma {gamma}", file, True
            if color in (0, 2, 3):
                hidden = (
                    _noise(3) if color == 3 else bytes(2) * _CHANNELS[color]
                )
                hidden = hidden[:2] if color == 3 and bits == 1 else hidden
                file = png(bits, color, chunks=[*chunks, (b"tRNS", hidden)])
                yield f"{name}, tRNS", file, True
    still = RGB.convert("RGB")
    moving = encode(
        still, "PNG", save_all=True, append_images=[RGB.rotate(180)]
    )
    yield "animated", moving, True


def _gifs():
    palette = RGB.quantize(200)
    for interlaced in (0, 1):
        yield (
            f"interlace {interlaced}",
            encode(palette, "GIF", interlace=interlaced),
            True,
        )
    for colors in (2, 16):
        yield f"{colors} colours", encode(RGB.quantize(colors), "GIF"), True
    still = encode(palette, "GIF", interlace=0)
    yield "grey", encode(RGB.convert("L"), "GIF"), True
    yield "comment", encode(palette, "GIF", comment=b"x" * 1000), True
    yield "GIF87a", still.replace(b"GIF89a", b"GIF87a"), True
    yield "local palette", _local(still), True
    transparent = palette.getpixel((3, 3))
    seen = encode(palette, "GIF", transparency=transparent)
    yield "transparent", seen, True
    others = [RGB.rotate(180).quantize(), RGB.rotate(90).quantize(9)]
    for disposal in (0, 1, 2, 3):
        yield (
            f"animated, disposal {disposal}",
            encode(
                palette,
                "GIF",
                save_all=True,
                append_images=others,
                disposal=disposal,
                transparency=transparent,
            ),
            True,
        )
    yield "frames behind the end", still[:-1] + b",\0\0\0", True
    for name, screen in (("small", (W + 3, H)), ("large", (W, H - 1))):
        file = bytearray(still)
        file[6:10] = struct.pack("<HH", *screen)
        yield f"{name} frame", bytes(file), False
    moved = bytearray(still)
    frame = still.index(b",\0\0\0\0%c\0%c\0" % (W, H))
    moved[frame + 1] = 1
    yield "frame at 1, 0", bytes(moved), False
    bomb = struct.pack("<HHHH", 0, 0, 60_000, 60_000)
    yield (
        "large second frame",
        (still[:-1] + b"," + bomb + still[frame + 9 :]),
        True,
    )
    wide = bytearray(still)
    wide[frame + 5 : frame + 9] = bomb[4:]
    yield "large first frame", bytes(wide), False


def _local(file):
    """A GIF whose global colours become its frame's own."""
    size = 3 << ((file[10] & 7) + 1)
    frame = file.index(b",\0\0\0\0%c\0%c\0" % (W, H))
    return (
        file[:10]
        + bytes([file[10] & 0x7F])
        + file[11:13]
        + file[13 + size : frame + 9]
        + bytes([file[frame + 9] | 0x80 | file[10] & 7])
        + file[13 : 13 + size]
        + file[frame + 10 :]
    )


def _webps():
    rgba, exif = _rgba(), Image.Exif()
    exif[0x0112] = 1
    for lossless in (False, True):
        name = "lossless" if lossless else "lossy"
        options = {"lossless": lossless}
        yield name, encode(RGB, "WEBP", **options), True
        yield f"{name}, alpha", encode(rgba, "WEBP", **options), True
        exact = encode(rgba, "WEBP", exact=True, **options)
        yield f"{name}, alpha, exact", exact, True
        yield f"{name}, VP8X", encode(RGB, "WEBP", exif=exif, **options), True
        extended = encode(rgba, "WEBP", exif=exif, **options)
        yield f"{name}, alpha, VP8X", extended, True
        yield (
            f"{name}, animated",
            encode(
                RGB,
                "WEBP",
                save_all=True,
                append_images=[RGB.rotate(180)],
                **options,
            ),
            False,
        )
    unknown = bytearray(encode(RGB, "WEBP"))
    unknown[12:16] = b"VP9 "
    yield "VP9", bytes(unknown), False


def pillow(file):
    """What Pillow reads: int (H, W, 3)."""
    with Image.open(io.BytesIO(file)) as image:
        if image.mode.startswith("I"):  # Pillow would clip 16 bits
            grey = np.asarray(image).astype(int) >> 8
            return np.repeat(grey[..., np.newaxis], 3, axis=-1)
        return np.asarray(image.convert("RGB")).astype(int)


# {name: file} of the files that are read, and of those that are refused.
READ, REFUSED = {}, {}
for _format, _cases in (
    *(("bmp", _bmps()), ("png", _pngs())),
    *(("gif", _gifs()), ("webp", _webps())),
):
    for _name, _file, _right in _cases:
        (READ if _right else REFUSED)[f"{_format}: {_name}"] = _file
