"""Images of Pillow as pixels."""

import numpy as np

# Modes that lose nothing when they become RGB but transparency.
_MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "PA", "CMYK", "YCbCr")

# Of files no other kind is turned; None is after a conversion or a resizing.
_TURNED = ("JPEG", "MPO", None)


def is_pillow(picture):
    """Whether something is an image of Pillow."""
    return hasattr(picture, "convert")


def pixels(picture, exif):
    """The pixels of an image of Pillow: uint8 (H, W, 3).

    Args:
        picture: `PIL.Image.Image`.
        exif: key of `labels.view.EXIF`. "apply" turns an image from a JPEG as
            its file would be; it keeps its note when it is converted.

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
