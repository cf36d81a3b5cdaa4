"""Real photographs for tests, from scikit-learn."""

import functools
import io

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

NAMES = ("china.jpg", "flower.jpg")


@functools.cache
def photograph(name="china.jpg", width=None, height=None):
    """uint8 (H, W, 3); 427 x 640, or resized."""
    image = Image.fromarray(load_sample_image(name))
    if width:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.array(image)
    pixels.setflags(write=False)
    return pixels


def encoded(pixels, format="JPEG", **options):
    """The bytes of a file, by Pillow."""
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else None
    (image or Image.fromarray(pixels)).save(file, format, **options)
    return file.getvalue()
