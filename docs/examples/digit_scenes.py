"""Scenes of digits with boxes and masks, and a network that reads them.

What `detect_digits.py` and `segment_digits.py`, beside this file, share. The
digits are those that the package holds: its training images for training, its
test images for tests.
"""

import argparse
import typing

import keras
import numpy as np
from keras import layers
from PIL import Image

import keras_resnet
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
        images, labels: of `digits`. All are used equally often.
        number: of scenes.
        seed: of everything that is random.

    Returns:
        `Scenes`.
    """
    rng = np.random.default_rng(seed)
    uses = -(-MOST * number // len(images))
    queue = [i for _ in range(uses) for i in rng.permutation(len(images))]
    scenes = Scenes(np.empty((number, SIDE, SIDE, 3), np.uint8), [], [], [])
    for i in range(number):
        chosen = [queue.pop() for _ in range(rng.integers(1, MOST + 1))]
        digits = [(images[which], labels[which]) for which in chosen]
        scene, mask, boxes, drawn = _scene(digits, rng)
        scenes.images[i] = scene
        for values, value in zip(scenes[1:], (boxes, drawn, mask), strict=True):
            values.append(value)
    return scenes._replace(masks=np.stack(scenes.masks))


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
        boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
        boxes[-1] = np.add(boxes[-1], (left, top) * 2)
        labels.append(label)
    return (
        np.clip(scene, 0, 255),
        mask,
        np.array(boxes, float),
        np.array(labels),
    )


def _room(mask, size, rng):
    """Left and top of an empty square; (None, None) where none was found."""
    for _ in range(20):
        left, top = rng.integers(0, SIDE - size + 1, 2)
        if not mask[top : top + size, left : left + size].any():
            return left, top
    return None, None


def pyramid(backbone, filters=32):
    """C2 to C5 of a network in one map, for what is small and what is large.

    From the coarsest on, each is doubled and added to the next (Lin et al.
    2017, arXiv 1612.03144).

    Args:
        backbone: from `keras_resnet.build`.
        filters: of the map.

    Returns:
        The network's input, and the map, at the stride of C2.
    """
    model, x = keras_resnet.features(backbone), None
    for _, level in sorted(model.output.items(), reverse=True):
        level = layers.Conv2D(filters, 1)(level)
        x = level if x is None else level + layers.UpSampling2D()(x)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return model.input, layers.ReLU()(layers.BatchNormalization()(x))


def backbone(variant, **choices):
    """A network of a quarter of the published filters, without a classifier."""
    choices = {"filters": (16, 32, 64, 128), **choices}
    shape = (SIDE, SIDE, 3)
    return keras_resnet.build(
        variant, include_top=False, input_shape=shape, **choices
    )


def train(
    model, loss, images, targets, *, steps, batch_size=32, learning_rate=0.05
):
    """Trains so many steps, at a rate that falls to 0 as a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, global_clipnorm=5.0)
    model.compile(optimizer, loss=loss)
    epochs = -(-steps * batch_size // len(images))
    return model.fit(
        images, targets, batch_size=batch_size, epochs=epochs, verbose=2
    )


def save(tiles, path):
    """Writes uint8 (S, S, 3) tiles as a PNG, four in a row."""
    rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
    Image.fromarray(np.vstack(rows)).save(path)


def main(about, train, find, score, picture):
    """Trains, scores and draws, as the functions of an example do."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--variant", default="resnet34")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--picture", default="found.png")
    flags = parser.parse_args()
    keras.utils.set_random_seed(0)
    scenes = make(*digits("train"), number=3200, seed=0)
    model = train(backbone(flags.variant), scenes, steps=flags.steps)
    test = make(*digits("validation"), number=500, seed=1)
    found = find(model, test.images)
    for name, value in score(test, found).items():
        print(f"{name}: {value:.3f}")
    picture(test.images[:8], found[:8], flags.picture)
