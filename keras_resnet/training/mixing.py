"""Mixes the images of a batch with each other, and their labels.

The host draws the numbers from the seed and the step alone, once for the whole
batch; the pixels are mixed on the network's device. Partners are in one group
of a few images in a row, so that every division of a batch into devices and
micro-batches that keeps such groups gives the same pictures. Precise BN
(`precise_bn`) uses images that are not mixed.

References: Zhang et al. 2018, arXiv 1710.09412 (mixup); Yun et al. 2019, arXiv
1905.04899 (CutMix). Shapes: B images, H height, W width, K classes.
"""

import numpy as np
from keras import ops

from keras_resnet.errors import require


def draw(recipe, step):
    """How the images of a step are mixed.

    Args:
        recipe: `recipes.Recipe`: mixup_alpha, cutmix_alpha and the seed.
        step: int, counted from 0.

    Returns:
        float32 (4,): 1 for a rectangle and 0 for mixup; the part of an image
        that stays; the rectangle's middle, down and across, 0 to 1. Each step
        has its own.
    """
    generator = np.random.default_rng([recipe.seed, step])
    choice, down, across = generator.random(3)
    alphas = recipe.mixup_alpha, recipe.cutmix_alpha
    cuts = int(choice < 0.5 if all(alphas) else alphas[1] > 0)
    stays = generator.beta(alphas[cuts], alphas[cuts])
    return np.array([cuts, stays, down, across], np.float32)


def draws(recipe, first, count):
    """float32 (count, 4): `draw` of some steps; None if nothing is mixed."""
    if not recipe.mixes:
        return None
    steps = range(first, first + count)
    return np.stack([draw(recipe, step) for step in steps])


def check(recipe, parts):
    """Refuses to divide a batch into parts that separate partners.

    Raises:
        keras_resnet.UsageError: says the numbers.
    """
    require(
        not recipe.mixes or recipe.batch_size // parts % recipe.mixes == 0,
        f"With this batch {recipe.mixes} images in a row are mixed with each "
        "other, so a device, and a micro-batch, must have a multiple of "
        f"{recipe.mixes}. Received: batch_size={recipe.batch_size} for "
        f"{parts} parts.",
    )


def mix(batch, numbers, group):
    """A batch in which each image has a part of another one.

    An image whose partner could not be read (a weight of 0) stays as it is.

    Args:
        batch: dict of "image", (B, H, W, C); "label", int32 (B,) or (B, K) of
            0 and 1; maybe "weight", float (B,); and others.
        numbers: from `draw`.
        group: int, which divides B: an image's partner has the same place in
            their group, counted from the other end.

    Returns:
        dict: "image", float32; "label", the label with the larger part of an
        image; "other", the other one; "share", float32 (B,), the part of
        "label", 0.5 to 1; all else unchanged.
    """
    image = ops.cast(batch["image"], "float32")
    _, height, width, _ = image.shape
    keeps = _keeps(numbers, height, width)
    valid = _partner(batch["weight"], group) > 0 if "weight" in batch else None
    share, own = ops.mean(keeps), keeps[None, :, :, None]
    if valid is not None:
        share = ops.where(valid, share, 1.0)
        own = ops.where(valid[:, None, None, None], own, 1.0)
    else:
        share = ops.broadcast_to(share, image.shape[:1])
    other = _partner(image, group)
    return {
        **batch,
        "image": other + own * (image - other),
        **_labels(batch["label"], share, group),
    }


def _keeps(numbers, height, width):
    """float32 (H, W): the part of each pixel that stays."""
    cuts, stays, down, across = (numbers[i] for i in range(4))
    half = 0.5 * ops.sqrt(1 - stays)
    rows = _inside(down, half, height)[:, None]
    columns = _inside(across, half, width)[None, :]
    outside = 1 - ops.cast(ops.logical_and(rows, columns), "float32")
    return ops.where(cuts > 0, outside, stays)


def _inside(middle, half, size):
    """bool (size,): the places inside a rectangle, cut off at the border."""
    place = ops.arange(size, dtype="float32")
    middle, half = ops.floor(middle * size), ops.floor(half * size)
    return ops.logical_and(place >= middle - half, place < middle + half)


def _partner(values, group):
    """Values in the order of their partners."""
    shape = (-1, group, *values.shape[1:])
    turned = ops.flip(ops.reshape(values, shape), axis=1)
    return ops.reshape(turned, (-1, *values.shape[1:]))


def _labels(label, share, group):
    other = _partner(label, group)
    less = share < 0.5
    swaps = less[:, None] if len(label.shape) == 2 else less
    return {
        "label": ops.where(swaps, other, label),
        "other": ops.where(swaps, label, other),
        "share": ops.maximum(share, 1 - share),
    }
