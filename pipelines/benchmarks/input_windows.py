"""The least that input of files costs: windows decoded, and little else.

`ceiling` and `known` are functions as `input_contenders.LARGE` has them.
"""

import functools
import itertools
import pathlib

import numpy as np
import tensorflow as tf

RATIOS = (1, 2, 4, 8)  # of the decoder's DCT scaling


def files(folder):
    """Their paths: sorted list of str."""
    return sorted(map(str, pathlib.Path(folder).glob("train/*/*")))


def batched(source, example, recipe):
    """() -> iterator of the recipe's batches of `example(...)` of a source."""
    examples = tf.data.Dataset.from_tensor_slices(source).repeat()
    examples = examples.take(recipe.steps * recipe.batch_size)
    batches = examples.map(example, tf.data.AUTOTUNE)
    batches = batches.batch(recipe.batch_size, drop_remainder=True)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    return lambda: iter(batches)


def uniform(low, high):
    return tf.random.uniform((), low, high, tf.int32)


def ceiling(folder, recipe):
    """Decodes only the pixels that survive; one of them comes out.

    The window is the part of the source that a random scale and crop would
    show, at the largest DCT ratio that leaves `image_size` pixels.
    """
    low, high = recipe.scale_range

    def example(path):
        encoded = tf.io.read_file(path)
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        side = recipe.image_size * tf.reduce_min(size) // uniform(low, high + 1)

        def decode(ratio):
            # The window counts the pixels after the DCT's scaling.
            room = (size - side) // ratio + 1
            top, left = uniform(0, room[0]), uniform(0, room[1])
            window = tf.stack([top, left, side // ratio, side // ratio])
            image = tf.image.decode_and_crop_jpeg(
                encoded, window, channels=3, ratio=ratio
            )
            return image[0, 0, 0]

        cases = [
            (
                side >= ratio * recipe.image_size,
                functools.partial(decode, ratio),
            )
            for ratio in (8, 4, 2)
        ]
        return tf.case(cases, default=lambda: decode(1))

    return batched(files(folder), example, recipe)


def known(folder, recipe):
    """Decodes known windows, resizes, rounds and flips them.

    No header is read and nothing is chosen: NumPy drew the windows before, at
    the same scales and places as in `ceiling`. All are flipped.
    """
    size = (recipe.image_size, recipe.image_size)

    def example(path, window, branch):
        encoded = tf.io.read_file(path)
        decoders = [
            functools.partial(
                tf.io.decode_and_crop_jpeg,
                encoded,
                window,
                channels=3,
                ratio=ratio,
            )
            for ratio in RATIOS
        ]
        image = tf.switch_case(branch, decoders)
        resized = tf.raw_ops.ResizeBilinear(
            images=image[tf.newaxis], size=size, half_pixel_centers=True
        )
        rounded = tf.cast(tf.squeeze(resized, 0) + 0.5, tf.uint8)
        flips = [False, True, False]
        return tf.raw_ops.Reverse(tensor=rounded, dims=flips)

    return batched(_windows(folder, recipe), example, recipe)


def _windows(folder, recipe):
    """Paths, windows int32 (N, 4), indices into RATIOS int32 (N,)."""
    from PIL import Image

    sizes = {}
    for path in files(folder):
        with Image.open(path) as picture:
            sizes[path] = np.array(picture.size[::-1])
    count = recipe.steps * recipe.batch_size
    paths = list(itertools.islice(itertools.cycle(sizes), count))
    draws = np.random.default_rng(recipe.seed).random((count, 3))
    low, high = recipe.scale_range
    windows, branches = [], []
    for path, draw in zip(paths, draws, strict=True):
        shorter = int(low + draw[0] * (high + 1 - low))
        side = recipe.image_size * min(sizes[path]) // shorter
        branch = sum(side >= ratio * recipe.image_size for ratio in RATIOS[1:])
        ratio = RATIOS[branch]
        corner = draw[1:] * ((sizes[path] - side) // ratio + 1)
        windows.append([*corner.astype(int), side // ratio, side // ratio])
        branches.append(branch)
    return paths, np.array(windows, np.int32), np.array(branches, np.int32)
