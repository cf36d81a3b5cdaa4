"""Ours and its peers: files or pixels in, augmented batches out.

Each function of `LARGE` and `SMALL` prepares everything once and returns a
function () -> iterator of uint8 batches: (B, S, S, 3), or (B,) for the ceiling.
Those of `LARGE` do the recipe's work on the same files, each file equally
often: a shorter side that is uniform in `scale_range`, a random crop of
`image_size`, a flip. Those of `SMALL` pad, crop and flip as P1 does for CIFAR.
"""

import concurrent.futures
import dataclasses
import itertools
import os

import numpy as np
import tensorflow as tf
from benchmarks import input_windows
from benchmarks import photographs
from benchmarks.steps import repeated

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import splits

FILL = datasets.info("imagenet2012").pixel_mean
SIDE = 32  # of small images


def recipe(steps, batch_size, image_size=224, **changes):
    """P1's crops of ImageNet (sec. 3.4), in proportion to `image_size`."""
    low, high = (side * image_size // 224 for side in (256, 480))
    fields = {
        "augmentation": "scale_crop",
        "image_size": image_size,
        "scale_range": (low, high),
        "batch_size": batch_size,
        "steps": steps,
    }
    return recipes.load("imagenet_resnet50", {**fields, **changes})


def stream(folder, batch_size, image_size=224):
    """A contender whose step is a batch of ours; nothing trains on it."""

    def build():
        batches = endless(folder, batch_size, image_size)
        return repeated(lambda: next(batches))

    return build


def endless(folder, batch_size, image_size):
    """An iterator over more batches of ours than any benchmark takes."""
    of_all = recipe(1_000_000, batch_size, image_size)
    return iter(_of_folder(folder, of_all))


def _of_folder(folder, recipe):
    split = datasets.load(f"folder:{folder}", "train")
    return pipeline.train_dataset(split, recipe, fill=FILL)


def large(batches, folder, images, batch_size, **choices):
    """A contender whose step makes `images` of the files in a folder.

    `batches` is a key of `LARGE`, `choices` are its further arguments.
    """

    def build():
        of_step = recipe(images // batch_size, batch_size)
        return passes(LARGE[batches](folder, of_step, **choices), images)

    return build


def small(batches, patches, images):
    """A contender whose step makes `images` of pixels in memory.

    Args:
        batches: key of `SMALL`.
        patches: int, squares of photographs in memory.
        images: of a step, a multiple of 128.
    """
    pixels, labels = photographs.patches(patches, SIDE)

    def build():
        of_step = recipes.load("cifar10_resnet20", {"steps": images // 128})
        return passes(SMALL[batches](pixels, labels, of_step), images)

    return build


def passes(batches, images):
    """Steps that take all of `batches()`; raises unless those are `images`."""

    def step():
        made = sum(len(batch) for batch in batches())
        if made != images:
            raise RuntimeError(f"{made} images were made, not {images}.")

    return repeated(step)


def _ours(folder, recipe, augmentation="scale_crop"):
    recipe = dataclasses.replace(recipe, augmentation=augmentation)
    dataset = _of_folder(folder, recipe)
    return lambda: (batch["image"] for batch in dataset)


def _plain(folder, recipe, antialias):
    """What a tutorial writes: decode all, resize all, crop."""
    crop = (recipe.image_size, recipe.image_size, 3)

    def example(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        size, (low, high) = tf.shape(image)[:2], recipe.scale_range
        size = (
            size * input_windows.uniform(low, high + 1) // tf.reduce_min(size)
        )
        image = tf.image.resize(image, size, antialias=antialias)
        image = tf.image.random_crop(image, crop)
        image = tf.image.random_flip_left_right(image)
        return tf.cast(image, tf.uint8)

    return input_windows.batched(input_windows.files(folder), example, recipe)


def _pillow(folder, recipe):
    """What torchvision's transforms do on the CPU, on a thread for each core.

    A PyTorch loader uses processes instead, but their CPU time could not be
    seen from here. What it spends on passing batches between them is left out.
    """
    all_files = input_windows.files(folder)

    def batches():
        rng = np.random.default_rng(recipe.seed)
        paths = itertools.cycle(all_files)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in range(recipe.steps):
                of_batch = itertools.islice(paths, recipe.batch_size)
                draws = rng.random((recipe.batch_size, 4))
                recipes = itertools.repeat(recipe)
                made = pool.map(_pillow_example, of_batch, draws, recipes)
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


def _ours_small(pixels, labels, recipe):
    names = tuple(str(label) for label in range(labels.max() + 1))
    split = splits.Split.from_arrays(pixels, labels, class_names=names)
    fill = datasets.info("cifar10").pixel_mean
    dataset = pipeline.train_dataset(split, recipe, fill=fill)
    return lambda: (batch["image"] for batch in dataset)


def _plain_small(pixels, labels, recipe):
    """What a tutorial writes: pad, crop and flip each image by itself."""
    wide = SIDE + 2 * recipe.pad_pixels

    def example(image, label):
        image = tf.image.resize_with_crop_or_pad(image, wide, wide)
        image = tf.image.random_crop(image, (SIDE, SIDE, 3))
        return tf.image.random_flip_left_right(image), label

    batches = input_windows.batched((pixels, labels), example, recipe)
    return lambda: (images for images, _ in batches())


LARGE = {
    "ours": _ours,
    "plain": _plain,
    "pillow": _pillow,
    "window": input_windows.known,
    "ceiling": input_windows.ceiling,
}
SMALL = {"ours": _ours_small, "plain": _plain_small}
