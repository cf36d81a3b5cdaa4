"""Ours and its peers: files in, augmented batches out.

Each contender is a function (images, recipe) that prepares everything once and
returns a function () -> iterator of uint8 batches: (B, S, S, 3), or (B,) of the
ceiling. Each does the recipe's work on the same files, each file equally
often: a shorter side that is uniform in `scale_range`, a random crop of
`image_size`, a flip.
"""

import concurrent.futures
import dataclasses
import itertools
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline


@dataclasses.dataclass(frozen=True)
class Images:
    """The files of a benchmark.

    Attributes:
        folder: with the files in train/CLASS/, for `folder:PATH`.
        files: list of the paths of all of them.
    """

    folder: pathlib.Path
    files: list


def recipe(num_images, batch_size, augmentation="scale_crop", **changes):
    """P1's crops of ImageNet (sec. 3.4), `num_images` of them."""
    return recipes.load(
        "imagenet_resnet50",
        {
            "augmentation": augmentation,
            "batch_size": batch_size,
            "steps": num_images // batch_size,
            **changes,
        },
    )


FILL = datasets.info("imagenet2012").pixel_mean


def _ours(augmentation):
    def prepare(images, recipe):
        own = dataclasses.replace(recipe, augmentation=augmentation)
        split = datasets.load(f"folder:{images.folder}", "train")
        dataset = pipeline.train_dataset(split, own, fill=FILL)
        return lambda: (batch["image"] for batch in dataset)

    return prepare


def _paths(images, recipe):
    """All paths, again and again, as many as the recipe has examples."""
    paths = tf.data.Dataset.from_tensor_slices([str(f) for f in images.files])
    return paths.repeat().take(recipe.steps * recipe.batch_size)


def _iterations(examples, recipe):
    batches = examples.batch(recipe.batch_size, drop_remainder=True)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    return lambda: iter(batches)


def _plain(antialias):
    """What a tutorial writes: decode all, resize all, crop."""

    def prepare(images, recipe):
        def example(path):
            image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            size, low_high = tf.shape(image)[:2], recipe.scale_range
            shorter = _uniform(low_high[0], low_high[1] + 1)
            size = size * shorter // tf.reduce_min(size)
            image = tf.image.resize(image, size, antialias=antialias)
            crop = (recipe.image_size, recipe.image_size, 3)
            image = tf.image.random_crop(image, crop)
            image = tf.image.random_flip_left_right(image)
            return tf.cast(image, tf.uint8)

        examples = _paths(images, recipe).map(example, tf.data.AUTOTUNE)
        return _iterations(examples, recipe)

    return prepare


def _uniform(low, high):
    return tf.random.uniform((), low, high, tf.int32)


def _ceiling(images, recipe):
    """Decodes what survives and nothing else; one pixel of it comes out.

    The window is that of the source which a random scale and crop would show,
    at the largest DCT ratio that leaves `image_size` pixels.
    """

    def example(path):
        encoded = tf.io.read_file(path)
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        shorter = tf.reduce_min(size)
        scale = _uniform(recipe.scale_range[0], recipe.scale_range[1] + 1)
        side = recipe.image_size * shorter // scale

        def decode(ratio):
            # The window counts the pixels after the DCT's scaling.
            room = (size - side) // ratio + 1
            top, left = _uniform(0, room[0]), _uniform(0, room[1])
            window = tf.stack([top, left, side // ratio, side // ratio])
            image = tf.image.decode_and_crop_jpeg(
                encoded, window, channels=3, ratio=ratio
            )
            return image[0, 0, 0]

        cases = [
            (side >= ratio * recipe.image_size, lambda r=ratio: decode(r))
            for ratio in (8, 4, 2)
        ]
        return tf.case(cases, default=lambda: decode(1))

    examples = _paths(images, recipe).map(example, tf.data.AUTOTUNE)
    return _iterations(examples, recipe)


def _pillow(images, recipe):
    """What torchvision's transforms do on the CPU, on a thread for each core.

    A PyTorch loader has processes in their place, whose CPU time could not be
    seen from here; what it spends on passing batches between them is left out.
    """

    def batches():
        rng = np.random.default_rng(recipe.seed)
        paths = itertools.cycle(images.files)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in range(recipe.steps):
                of_batch = list(itertools.islice(paths, recipe.batch_size))
                draws = rng.random((recipe.batch_size, 4))
                made = pool.map(
                    lambda path, draw: _pillow_example(path, draw, recipe),
                    of_batch,
                    draws,
                )
                yield np.stack(list(made))

    return batches


def _pillow_example(path, draw, recipe):
    from PIL import Image
    from PIL import ImageOps

    low, high = recipe.scale_range
    pixels = recipe.image_size
    with Image.open(path) as file:
        image = file.convert("RGB")
    shorter = int(low + draw[0] * (high + 1 - low))
    size = [side * shorter // min(image.size) for side in image.size]
    image = image.resize(size, Image.Resampling.BILINEAR)
    left = int(draw[1] * (size[0] - pixels + 1))
    top = int(draw[2] * (size[1] - pixels + 1))
    image = image.crop((left, top, left + pixels, top + pixels))
    return np.asarray(ImageOps.mirror(image) if draw[3] < 0.5 else image)


OURS, CEILING = "ours", "ceiling: decode the crop only"
CONTENDERS = {
    OURS: _ours("scale_crop"),
    "ours, with PCA colour": _ours("imagenet"),
    "tf.data, plain": _plain(antialias=False),
    "tf.data, antialiased": _plain(antialias=True),
    "Pillow, as torchvision": _pillow,
    CEILING: _ceiling,
}
