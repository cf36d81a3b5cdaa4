"""A small data set of JPEG files in folders, cut from two photographs.

For smoke tests of code that is meant for ImageNet. The files have several sizes
and shapes, wide and tall, and belong to eight classes.
"""

import os
import pathlib
import tempfile

import numpy as np
from benchmarks import photographs

# For each class. A class is a quarter of one of the photographs.
EXAMPLES = {"train": 9, "validation": 3}
# Width and height, pixels: wide, tall and square.
SIZES = ((80, 60), (56, 75), (64, 64))


def ensure(folder):
    """Writes FOLDER/train/CLASS/*.jpg and FOLDER/validation/... if missing.

    The files are the same each time. They appear all at once or not at all.

    Args:
        folder: path.

    Raises:
        keras_resnet.UsageError: if no package with photographs is installed.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    two = list(photographs.originals().items())[:2]
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        whole = pathlib.Path(unfinished) / "whole"
        for name, photograph in two:
            for quarter in range(4):
                part = _quarter(photograph, quarter)
                label = f"{pathlib.Path(name).stem}_{quarter}"
                for split, count in EXAMPLES.items():
                    _write(whole / split / label, part, count, rng)
        os.rename(whole, folder)


def _quarter(photograph, number):
    width, height = (side // 2 for side in photograph.size)
    left, top = number % 2 * width, number // 2 * height
    return photograph.crop((left, top, left + width, top + height))


def _write(folder, part, count, rng):
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        size = np.array(SIZES[number % len(SIZES)])
        seen = size * rng.uniform(1, min(part.size) / max(size))
        left, top = rng.uniform(0, part.size - seen)
        box = (left, top, left + seen[0], top + seen[1])
        image = part.resize(tuple(size), Image.Resampling.BICUBIC, box=box)
        image.save(folder / f"{number}.jpg", quality=90)
