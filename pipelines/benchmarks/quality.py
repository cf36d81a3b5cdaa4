"""What is lost where an image shrinks, against an antialiased resize.

All compare uint8 crops of the same place: the reference resizes the whole
image, antialiased, and crops; a method does the same with less work.
"""

import statistics

import numpy as np
import tensorflow as tf
from benchmarks import input_contenders

from keras_resnet.data import pipeline
from keras_resnet.data.examples import order
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import transforms

PIXELS = 224
DCT = "DCT scaling, then bilinear"


def measure(folder, crops, scales):
    """A contender that is only built: how each method differs.

    Args:
        folder: with JPEG files in train/CLASS/.
        crops: int, how many are compared.
        scales: ints, shorter sides to resize to, pixels.

    Returns:
        Function () -> list of {"shorter_side", "shrink": the median file's
        shorter side over it, "method", "psnr": dB, None where nothing differs,
        "mean_difference": of 255}.
    """
    split = input_contenders.of_folder(folder)
    files = [tf.io.read_file(path) for path in input_contenders.files(folder)]

    def build():
        shorter = statistics.median(min(_size(file)) for file in files)
        return [
            {"shorter_side": scale, "shrink": shorter / scale, **row}
            for scale in scales
            for row in _of_scale(split, files, crops, scale, shorter / scale)
        ]

    return build


def _of_scale(split, files, crops, scale, shrink):
    files = [files[number % len(files)] for number in range(crops)]
    fine = [_center(file, scale, antialias=True) for file in files]
    coarse = [_center(file, scale) for file in files]
    yield difference("ours", *_ours(split, crops, scale))
    yield difference("bilinear, not antialiased", coarse, fine)
    if shrink >= 2:  # or there is nothing to scale by
        reduced = [_center(file, scale, reduce=True) for file in files]
        yield difference(DCT, reduced, fine)


def difference(method, crops, references):
    """A row: how far uint8 crops are from the references."""
    off = np.array(crops, np.float64) - np.array(references)
    square = np.mean(off**2)
    psnr = float(10 * np.log10(255**2 / square)) if square else None
    mean = float(np.mean(np.abs(off)))
    return {"method": method, "psnr": psnr, "mean_difference": mean}


def _ours(split, crops, scale):
    """A training batch, and the plain definition with the same numbers."""
    recipe = input_contenders.recipe(1, crops, scale_range=(scale, scale))
    dataset = pipeline.train_dataset(split, recipe, fill=input_contenders.FILL)
    (batch,) = dataset
    indices, seeds = order.positions(split, recipe, 0)
    drawn = augmentations.draw(tf.constant(seeds), recipe)
    windows, flips = drawn["window"].numpy(), drawn["flip"].numpy()
    references = []
    for index, window, flip in zip(indices, windows, flips, strict=True):
        image, _ = pipeline.read_example(split, tf.constant(index))
        whole = transforms.resize_shorter_side(image, scale)
        room = np.array(whole.shape[:2]) - PIXELS + 1
        crop = _cut(whole, np.floor(window[1:3] * room).astype(int))
        references.append(crop[:, ::-1] if flip < 0.5 else crop)
    return batch["image"].numpy(), references


def _size(encoded):
    return tf.io.extract_jpeg_shape(encoded)[:2].numpy()


def _center(encoded, scale, *, antialias=False, reduce=False):
    """The centre of a file that is resized as a whole.

    Args:
        encoded: a JPEG.
        scale: the shorter side of the result, pixels.
        antialias: bool.
        reduce: whether the DCT does most of it.
    """
    size = _size(encoded)
    shrink = min(size) // scale if reduce else 1
    ratio = max(n for n in (1, 2, 4, 8) if n <= max(shrink, 1))
    image = tf.io.decode_jpeg(encoded, channels=3, ratio=ratio)
    size = size * scale // min(size)
    resized = tf.image.resize(image, size, antialias=antialias)
    pixels = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
    return _cut(pixels, (size - PIXELS) // 2)


def _cut(image, corner):
    top, left = corner
    return np.asarray(image)[top : top + PIXELS, left : left + PIXELS]
