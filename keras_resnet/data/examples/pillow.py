"""Pillow images as pixels."""

import numpy as np

# Modes that lose nothing but transparency when they become RGB.
_MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "PA", "CMYK", "YCbCr")

# The formats that are turned; None: the image was converted or resized.
_TURNED = ("JPEG", "MPO", None)


def is_pillow(picture):
    """Whether something is a Pillow image."""
    return hasattr(picture, "convert")


def pixels(picture, exif):
    """The pixels of a Pillow image: uint8 (H, W, 3).

    Args:
        picture: `PIL.Image.Image`.
        exif: key of `labels.view.EXIF`. "apply" turns an image from a JPEG as
            its file would be; a converted image still has its note.

    Raises:
        ValueError: if its pixels are not of 8 bits.
    """
    from PIL import ImageOps

    if picture.mode not in _MODES:
        raise ValueError(f"pixels of the mode {picture.mode}, not of 8 bits")
    if exif == "apply" and picture.format in _TURNED:
        picture = ImageOps.exif_transpose(picture)
    if isinstance(picture.info.get("transparency"), bytes):
        picture = picture.convert("RGBA")  # else Pillow warns
    return np.asarray(picture.convert("RGB"))
