"""What is lost where an image shrinks, against an antialiased resize.

All compare uint8 crops of the same place: the reference resizes the whole
image, antialiased, and crops; a method does the same with less work.
"""

import dataclasses
import statistics

import numpy as np
import tensorflow as tf
from benchmarks import contenders

from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import order
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import transforms


def measure(images, recipe, scales):
    """Differences of each method from the antialiased resize.

    Args:
        images: `contenders.Images`.
        recipe: `recipes.Recipe`; its batch_size is the number of crops.
        scales: ints, shorter sides to resize to, pixels.

    Returns:
        list of {"shorter_side", "shrink": the median file's shorter side over
        it, "method", "psnr": dB, None where nothing differs,
        "mean_difference": of 255}.
    """
    rows = []
    shorter = statistics.median(_shorter_side(path) for path in images.files)
    for scale in scales:
        shrink = shorter / scale
        for name, method in METHODS.items():
            if name == DCT and shrink < 2:
                continue  # nothing to scale by: the row above
            crops, references = method(images, recipe, scale)
            difference = crops.astype(np.float64) - references
            square = np.mean(difference**2)
            rows.append(
                {
                    "shorter_side": scale,
                    "shrink": shrink,
                    "method": name,
                    "psnr": 10 * np.log10(255**2 / square) if square else None,
                    "mean_difference": np.mean(np.abs(difference)),
                }
            )
    return rows


def _shorter_side(path):
    shape = tf.io.extract_jpeg_shape(tf.io.read_file(str(path)))
    return int(tf.reduce_min(shape[:2]))


def _ours(images, recipe, scale):
    """A training batch, and the plain definition with the same numbers."""
    own = dataclasses.replace(recipe, steps=1, scale_range=(scale, scale))
    split = datasets.load(f"folder:{images.folder}", "train")
    (batch,) = pipeline.train_dataset(split, own, fill=contenders.FILL)
    indices, seeds = order.positions(split, own, 0)
    references = []
    for index, draws in zip(indices, _draws(seeds), strict=True):
        image, _ = pipeline.read_example(split, tf.constant(index))
        whole = transforms.resize_shorter_side(image, scale)
        place = np.array(whole.shape[:2]) - own.image_size + 1
        corner = np.floor(draws["window"][1:3] * place).astype(int)
        crop = _cut(whole, corner, own.image_size)
        references.append(crop[:, ::-1] if draws["flip"] < 0.5 else crop)
    return batch["image"].numpy(), np.stack(references)


def _draws(seeds):
    drawn = augmentations.draw(tf.constant(seeds))
    for number in range(len(seeds)):
        yield {name: part[number].numpy() for name, part in drawn.items()}


def _cut(image, corner, side):
    top, left = corner
    return np.asarray(image)[top : top + side, left : left + side]


def _central(method_resize):
    """A method that resizes whole files; their centres are compared."""

    def method(images, recipe, scale):
        crops, references = [], []
        for number in range(recipe.batch_size):
            path = images.files[number % len(images.files)]
            encoded = tf.io.read_file(str(path))
            size = tf.io.extract_jpeg_shape(encoded)[:2]
            shorter = int(tf.reduce_min(size))
            size = size * scale // shorter
            side = recipe.image_size * shorter // scale
            fine = _resize(encoded, size, ratio=1, antialias=True)
            coarse = method_resize(encoded, size, side // recipe.image_size)
            for kept, image in ((references, fine), (crops, coarse)):
                corner = (np.array(image.shape[:2]) - recipe.image_size) // 2
                kept.append(_cut(image, corner, recipe.image_size))
        return np.stack(crops), np.stack(references)

    return method


def _bilinear(encoded, size, shrink):
    del shrink
    return _resize(encoded, size, ratio=1, antialias=False)


def _dct(encoded, size, shrink):
    ratio = max(ratio for ratio in (1, 2, 4, 8) if ratio <= max(shrink, 1))
    return _resize(encoded, size, ratio=ratio, antialias=False)


def _resize(encoded, size, *, ratio, antialias):
    image = tf.io.decode_jpeg(encoded, channels=3, ratio=ratio)
    resized = tf.image.resize(image, size, antialias=antialias)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


DCT = "DCT scaling, then bilinear"
METHODS = {
    "ours": _ours,
    "bilinear, not antialiased": _central(_bilinear),
    DCT: _central(_dct),
}
