"""Scenes of digits with boxes and masks, and pictures of them.

For `detect_digits.py` and `segment_digits.py`, beside this file. The digits are
those that the package holds: its training images for training, its test images
for tests.
"""

import typing

import numpy as np
from PIL import Image

from keras_resnet.data.stores import arrays

SIDE = 64  # pixels of a scene
CLASSES = 10
SIZES = (14, 28)  # pixels of a digit's square, the least and the greatest
MOST = 4  # digits of a scene


class Scenes(typing.NamedTuple):
    """N scenes.

    Attributes:
        images: uint8 (N, SIDE, SIDE, 3).
        boxes: list of N float arrays (D, 4) of 1 to MOST digits: left, top,
            right and bottom edge, pixels; a digit of one pixel at the upper
            left is 0, 0, 1, 1.
        labels: list of N int arrays (D,).
        masks: int32 (N, SIDE, SIDE), 0 for the background, 1 + label on a
            digit.
    """

    images: np.ndarray
    boxes: list
    labels: list
    masks: np.ndarray


def digits(split):
    """The digits of "train" or "validation": uint8 (N, 8, 8) and labels."""
    found = arrays.load("digits", split)
    return found.images[..., 0], found.labels


def make(images, labels, number, seed):
    """Scenes of 1 to 4 digits, which do not overlap.

    Args:
        images, labels: of `digits`. Each is drawn as often as any other, give
            or take once.
        number: of scenes.
        seed: of everything that is random.

    Returns:
        `Scenes`.
    """
    rng = np.random.default_rng(seed)
    uses = -(-MOST * number // len(images))
    queue = [i for _ in range(uses) for i in rng.permutation(len(images))]
    shape = (number, SIDE, SIDE)
    pixels, masks = np.empty((*shape, 3), np.uint8), np.empty(shape, np.int32)
    scenes = Scenes(pixels, [], [], masks)
    for i in range(number):
        chosen = [queue.pop() for _ in range(rng.integers(1, MOST + 1))]
        digits = [(images[which], labels[which]) for which in chosen]
        scene, mask, boxes, drawn = _scene(digits, rng)
        scenes.images[i] = scene
        scenes.masks[i] = mask
        scenes.boxes.append(boxes)
        scenes.labels.append(drawn)
    return scenes


def _scene(digits, rng):
    """A noisy background with digits where there is room for them."""
    clouds = rng.integers(0, 120, (4, 4, 3), np.uint8)
    clouds = Image.fromarray(clouds).resize((SIDE, SIDE), Image.BILINEAR)
    scene = np.asarray(clouds) + rng.normal(0, 20, (SIDE, SIDE, 3))
    mask, boxes, labels = np.zeros((SIDE, SIDE), np.int32), [], []
    for digit, label in digits:
        size = rng.integers(SIZES[0], SIZES[1] + 1)
        left, top = _room(mask, size, rng)
        if left is None:
            continue  # never the first one
        square = np.s_[top : top + size, left : left + size]
        big = Image.fromarray(digit).resize((size, size), Image.BILINEAR)
        big = np.asarray(big)
        ink = big[..., None] / 255
        color = rng.integers(130, 256, 3)
        scene[square] = scene[square] * (1 - ink) + color * ink
        mask[square] = np.where(big > 100, label + 1, 0)
        y, x = np.nonzero(mask[square])
        box = (x.min(), y.min(), x.max() + 1, y.max() + 1)
        boxes.append(np.add(box, (left, top) * 2, dtype=float))
        labels.append(label)
    return scene.clip(0, 255), mask, np.stack(boxes), np.array(labels)


def _room(mask, size, rng):
    """Left and top of an empty square; (None, None) where none was found."""
    for _ in range(20):
        left, top = rng.integers(0, SIDE - size + 1, 2)
        if not mask[top : top + size, left : left + size].any():
            return left, top
    return None, None


def enlarged(image):
    """uint8 (SIDE, SIDE, 3) as an `Image` with four pixels for each."""
    return Image.fromarray(image).resize((4 * SIDE,) * 2, Image.NEAREST)


def save(tiles, path):
    """Writes equal `Image`s as one PNG, four in a row."""
    tiles = list(map(np.asarray, tiles))
    rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
    Image.fromarray(np.vstack(rows)).save(path)
