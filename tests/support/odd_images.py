"""Files that real data sets contain, and what must be said of each."""

import os
import shutil
import struct
import zlib

import numpy as np
from photographs import encoded as encode
from PIL import Image
from sklearn.datasets import load_sample_image


def photograph(width=60, height=40):
    """A part of a photograph, as Pillow's image."""
    image = Image.fromarray(load_sample_image("china.jpg"))
    return image.crop((200, 100, 200 + width, 100 + height))


def png(chunks):
    """A PNG of chunks (type, data), with correct checksums."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def png_of_size(width, height):
    """A PNG whose header claims a size, with correct checksums."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", ihdr), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return png(chunks)


def exif(orientation):
    """Pillow's Exif data with an orientation."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def readable():
    """{name: (bytes, notes of `inspection.NOTES`)}."""
    rgb = photograph()
    jpeg = encode(rgb, "JPEG", quality=90)
    deep = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 27
    frames = [rgb.quantize(), rgb.rotate(180).quantize()]
    return {
        "plain.jpg": (jpeg, ()),
        "progressive.jpg": (encode(rgb, "JPEG", progressive=True), ()),
        "garbage after.jpg": (jpeg + b"more", ()),
        "grey.jpg": (encode(rgb.convert("L"), "JPEG"), ()),
        "cmyk.jpg": (encode(rgb.convert("CMYK"), "JPEG"), ("CMYK",)),
        "png.JPEG": (encode(rgb, "PNG"), ("misnamed",)),
        "deep.png": (encode(Image.fromarray(deep), "PNG"), ("16 bits",)),
        "rgba.png": (encode(rgb.convert("RGBA"), "PNG"), ("alpha",)),
        "palette.png": (encode(rgb.quantize(), "PNG"), ()),
        "bitmap.bmp": (encode(rgb, "BMP"), ()),
        "palette.bmp": (encode(rgb.quantize(), "BMP"), ()),
        "alpha.webp": (encode(rgb.convert("RGBA"), "WEBP"), ()),
        "still.gif": (encode(frames[0], "GIF"), ()),
        "animated.gif": (
            encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            ("animated",),
        ),
        "rotated.jpg": (
            encode(rgb, "JPEG", exif=exif(6)),
            ("EXIF rotation",),
        ),
        "thin.png": (encode(photograph(1, 40), "PNG"), ("one pixel thin",)),
    }


def unreadable():
    """{name: (bytes, a part of the reason)}."""
    jpeg = encode(photograph(), "JPEG", quality=90)
    png = encode(photograph(), "PNG")
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 1
    gif = encode(photograph().quantize(), "GIF")
    moving = {"save_all": True, "append_images": [photograph().rotate(180)]}
    return {
        "empty.jpg": (b"", "empty"),
        "half.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "no end.jpg": (jpeg[:-2], "truncated"),
        "only a header.jpg": (jpeg[:30], "cut off"),
        "half.png": (png[: len(png) // 2], "truncated"),
        "flipped.png": (bytes(damaged), "checksum"),
        "half.gif": (gif[: len(gif) // 2], "truncated"),
        "half.bmp": (encode(photograph(), "BMP")[:-100], "truncated"),
        "moving.webp": (encode(photograph(), "WEBP", **moving), "animated"),
        "page.jpg": (b"<!DOCTYPE html><p>Not found", "HTML"),
        "zeros.jpg": (bytes(500), "zero"),
        "tiff.jpg": (encode(photograph(), "TIFF"), "TIFF"),
        "bomb.png": (png_of_size(65_000, 65_000), "65000 x 65000"),
        "nothing.png": (png_of_size(0, 5), "0 x 5"),
    }


NOT_UTF8 = b"caf\xe9.jpg"
# In the folder that `write_dirty` writes.
NUM_READABLE = len(readable()) + 1
UNREADABLE_NAMES = {*unreadable(), "gone.jpg"}


def write_clean(root):
    """A data set of readable files, one with a name that is not UTF-8."""
    odd, plain = root / "train" / "odd", root / "train" / "plain"
    for folder in (odd, plain, root / "train" / "empty"):
        folder.mkdir(parents=True)
    for name, (data, _) in readable().items():
        (odd / name).write_bytes(data)
    with open(os.fsencode(plain) + b"/" + NOT_UTF8, "wb") as file:
        file.write(encode(photograph(), "JPEG", quality=50))
    view = root / "validation" / "plain" / "1.png"
    view.parent.mkdir(parents=True)
    view.write_bytes(encode(photograph(50, 70), "PNG"))


def write_dirty(clean, root):
    """A copy of `clean` with the unreadable files and a link to nowhere."""
    shutil.copytree(clean, root)
    odd = root / "train" / "odd"
    for name, (data, _) in unreadable().items():
        (odd / name).write_bytes(data)
    (odd / "gone.jpg").symlink_to(root / "nowhere")
