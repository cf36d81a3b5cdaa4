"""Pixels that users pass as arrays: a network takes 0..255."""

import threading
import warnings

import numpy as np

_warned = threading.Event()


def warn_of_unit_range(images):
    """Warns, once a process, of images that seem scaled to [0, 1].

    Args:
        images: array (..., H, W, C). Integers and black images say nothing.
    """
    if _warned.is_set() or not _is_unit_range(np.asarray(images)):
        return
    _warned.set()
    warnings.warn(
        "The pixels of these images are floats in [0, 1], but a network takes "
        "RGB of 0..255 and normalises it itself. Multiply them by 255.",
        stacklevel=3,
    )


def _is_unit_range(images):
    if not np.issubdtype(images.dtype, np.floating) or not images.size:
        return False
    return bool(images.min() >= 0 and 0 < images.max() <= 1)
