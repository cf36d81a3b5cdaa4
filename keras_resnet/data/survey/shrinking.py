"""Photographs stored once at the size that training needs.

Decoding dominates the cost of a photograph of 12 megapixels; a training crop
shows a fraction of its pixels.
"""

import io
import threading
import time

import numpy as np

from keras_resnet.data.pixels import headers
from keras_resnet.data.survey import scanning

QUALITY = 95  # of the JPEG files that are written
_EXIF_ORIENTATION = 0x0112


def shrink(encoded, pixels, shorter_side):
    """A picture whose shorter side is `shorter_side`, as a JPEG file.

    Bilinear and antialiased, of quality QUALITY. The pixels are those that
    training decodes: RGB of 8 bits. They are not turned; the note of how the
    camera was held is kept, so that a recipe's `exif` means the same.

    Args:
        encoded: bytes of an image file.
        pixels: uint8 (H, W, 3), what it decodes to, as stored.
        shorter_side: int, pixels.

    Returns:
        bytes; `encoded` itself if its shorter side is not longer.

    Raises:
        headers.BadImageError: if it is damaged.
    """
    from PIL import Image

    header = headers.read(encoded)
    shorter = min(header.width, header.height)
    if shorter <= shorter_side:
        return encoded
    size = [
        round(side * shorter_side / shorter)
        for side in (header.width, header.height)
    ]
    picture = Image.fromarray(np.asarray(pixels))
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    exif, file = Image.Exif(), io.BytesIO()
    if header.format == "jpeg":  # training reads no other format's note
        exif[_EXIF_ORIENTATION] = header.orientation
    picture.save(file, "JPEG", quality=QUALITY, exif=exif)
    return file.getvalue()


class Savings:
    """What shrinking cost, and what reading gains, for all files of a run.

    Args:
        shorter_side: int, pixels.

    Attributes:
        files, shrunk: how many were read, and made smaller.
        before, after: bytes of all files.
    """

    def __init__(self, shorter_side):
        self.files = self.shrunk = self.before = self.after = 0
        self._side, self._lock = shorter_side, threading.Lock()
        # CPU seconds: in all; to decode what was shrunk, before and after.
        self._times = np.zeros(3)

    def shrink(self, encoded):
        """`shrink` of a file, counted; many threads may call it."""
        start = time.thread_time()
        pixels = scanning.pixels(encoded)
        decoded = time.thread_time()
        stored = shrink(encoded, pixels, self._side)
        end = time.thread_time()
        times = [end - start, 0, 0]
        if stored is not encoded:
            scanning.pixels(stored)
            times[1:] = decoded - start, time.thread_time() - end
        with self._lock:
            self.files += 1
            self.shrunk += stored is not encoded
            self.before += len(encoded)
            self.after += len(stored)
            self._times += times
        return stored

    def __str__(self):
        seconds, *decoding = self._times
        then, now = 1e3 * np.array(decoding) / max(self.shrunk, 1)
        return (
            f"{self.shrunk:,} of {self.files:,} pictures shrunk to a shorter "
            f"side of {self._side}, JPEG quality {QUALITY}: "
            f"{self.before / 1e6:,.1f} MB became {self.after / 1e6:,.1f} MB in "
            f"{seconds:,.1f} s of CPU; to decode one takes {now:.1f} ms in "
            f"place of {then:.1f}"
        )
