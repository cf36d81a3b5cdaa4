"""Ours and its peers: files in, augmented batches out.

Each function of `LARGE` prepares everything once and returns a function
() -> iterator of uint8 batches: (B, S, S, 3), or (B,) of the ceiling. Each does
the recipe's work on the same files, each file equally often: a shorter side
that is uniform in `scale_range`, a random crop of `image_size`, a flip.
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

FILL = datasets.info("imagenet2012").pixel_mean


def recipe(steps, batch_size, image_size=224, **changes):
    """P1's crops of ImageNet (sec. 3.4), in proportion to `image_size`."""
    return recipes.load(
        "imagenet_resnet50",
        {
            "augmentation": "scale_crop",
            "image_size": image_size,
            "scale_range": (256 * image_size // 224, 480 * image_size // 224),
            "batch_size": batch_size,
            "steps": steps,
            **changes,
        },
    )


def of_folder(folder):
    """The split with the files in FOLDER/train/CLASS/."""
    return datasets.load(f"folder:{folder}", "train")


def stream(folder, batch_size, image_size=224):
    """A contender whose step is a batch of ours; nothing trains on it.

    It is built when the folder is listed.
    """

    def build():
        batches = endless(folder, batch_size, image_size)

        def steps(count, tick):
            for _ in range(count):
                next(batches)
                tick()

        return steps

    return build


def endless(folder, batch_size, image_size):
    """An iterator over more batches of ours than any benchmark takes."""
    split = of_folder(folder)
    of_all = recipe(1_000_000, batch_size, image_size)

    def batches():
        yield from pipeline.train_dataset(split, of_all, fill=FILL)

    return batches()


def large(batches, folder, images, batch_size, **choices):
    """A contender whose step makes `images` from files.

    Args:
        batches: key of `LARGE`.
        folder: with JPEG files in train/CLASS/.
        images: of a step, a multiple of `batch_size`.
        batch_size: int.
        choices: further arguments of the function in `LARGE`.
    """

    def build():
        of_step = recipe(images // batch_size, batch_size)
        return passes(LARGE[batches](folder, of_step, **choices), images)

    return build


def passes(batches, images):
    """Steps that each take all of `batches()`.

    Raises:
        RuntimeError: if a step makes another number of images.
    """

    def steps(count, tick):
        for _ in range(count):
            made = sum(len(batch) for batch in batches())
            if made != images:
                raise RuntimeError(f"{made} images were made, not {images}.")
            tick()

    return steps


def _ours(folder, recipe, augmentation="scale_crop"):
    recipe = dataclasses.replace(recipe, augmentation=augmentation)
    split = of_folder(folder)
    dataset = pipeline.train_dataset(split, recipe, fill=FILL)
    return lambda: (batch["image"] for batch in dataset)


def files(folder):
    """Their paths: sorted list of str."""
    return sorted(map(str, pathlib.Path(folder).glob("train/*/*")))


def _examples(folder, recipe, example):
    """Batches of `example(path)`, as many as the recipe takes."""
    paths = tf.data.Dataset.from_tensor_slices(files(folder))
    paths = paths.repeat().take(recipe.steps * recipe.batch_size)
    return batched(paths.map(example, tf.data.AUTOTUNE), recipe)


def batched(examples, recipe):
    """A function () -> iterator of the recipe's batches."""
    batches = examples.batch(recipe.batch_size, drop_remainder=True)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    return lambda: iter(batches)


def _plain(folder, recipe, antialias):
    """What a tutorial writes: decode all, resize all, crop."""

    def example(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        size, (low, high) = tf.shape(image)[:2], recipe.scale_range
        size = size * _uniform(low, high + 1) // tf.reduce_min(size)
        image = tf.image.resize(image, size, antialias=antialias)
        crop = (recipe.image_size, recipe.image_size, 3)
        image = tf.image.random_crop(image, crop)
        image = tf.image.random_flip_left_right(image)
        return tf.cast(image, tf.uint8)

    return _examples(folder, recipe, example)


def _uniform(low, high):
    return tf.random.uniform((), low, high, tf.int32)


def _ceiling(folder, recipe):
    """Decodes what survives and nothing else; one pixel of it comes out.

    The window is that of the source which a random scale and crop would show,
    at the largest DCT ratio that leaves `image_size` pixels.
    """
    low, high = recipe.scale_range

    def example(path):
        encoded = tf.io.read_file(path)
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        shorter = tf.reduce_min(size)
        side = recipe.image_size * shorter // _uniform(low, high + 1)

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

    return _examples(folder, recipe, example)


def _pillow(folder, recipe):
    """What torchvision's transforms do on the CPU, on a thread for each core.

    A PyTorch loader has processes in their place, whose CPU time could not be
    seen from here; what it spends on passing batches between them is left out.
    """
    all_files = files(folder)

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


LARGE = {
    "ours": _ours,
    "plain": _plain,
    "pillow": _pillow,
    "ceiling": _ceiling,
}
