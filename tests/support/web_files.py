"""Image files that a page reads as Python does."""

import re
import struct

import numpy as np
import odd_images
from PIL import Image
from PIL import ImageCms
from PIL import PngImagePlugin


def _png(mode="RGB", **options):
    image = odd_images.photograph(300, 200).convert(mode)
    return odd_images.encode(image, "PNG", **options)


def _noise(width, height, channels=3):
    """An image in which a single misread pixel shows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    return odd_images.encode(Image.fromarray(pixels), "PNG")


def _profile():
    """A colour profile that would exchange red and blue if it were applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    exchanged = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    return re.sub(rb"[rb]XYZ", lambda tag: exchanged[tag[0]], profile.tobytes())


def _gamma():
    """A note that the values are linear; it is not applied."""
    notes = PngImagePlugin.PngInfo()
    notes.add(b"gAMA", struct.pack(">I", 100_000))
    return notes


# Every ratio of sizes uses other weights of the filter.
SIZES = ((61, 503), (16, 9), (36, 36), (1, 1), (3, 900))
FILES = {
    "photograph.png": _png(),
    "noise.png": _noise(301, 199),
    "transparent.png": _noise(60, 90, channels=4),
    "profile.png": _png(icc_profile=_profile()),
    "gamma.png": _png(pnginfo=_gamma()),
    "grey.png": _png("L"),
    "x.webp": odd_images.encode(odd_images.photograph(), "WEBP"),
    **{f"{w}x{h}.png": _noise(w, h) for w, h in SIZES},
    **{name: content for name, (content, _) in odd_images.readable().items()},
}
