"""The recipe for a folder of a user's own pictures.

It is not from the papers: it trains their networks on few images of other
classes. All choices are made here, and the command prints those that it made.
"""

import bisect
import dataclasses
import math

from keras_resnet.recipes import durations
from keras_resnet.recipes import engines
from keras_resnet.recipes.recipe import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The network for images of some size, and what it sees of them.

    Attributes:
        variant: key of `keras_resnet.VARIANTS`.
        image_size, eval_resize, augmentation, pad_pixels: of the `Recipe`.
    """

    variant: str
    image_size: int
    eval_resize: int
    augmentation: str
    pad_pixels: int = 4


# {least pixels of the shorter side: sizes}. Small images keep their pixels and
# get a network that does not halve them at once. They are not mirrored, which
# would change digits and letters (docs/PERFORMANCE.md, "A folder's recipe").
# The network sees photographs as the papers' see ImageNet's (P1 sec. 3.4), but
# in crops of random area (P2 Table 5), which help with few images.
SIZES = {
    0: Sizes(
        variant="resnet20",
        image_size=32,
        eval_resize=32,
        augmentation="pad_crop",
    ),
    48: Sizes(
        variant="resnet20",
        image_size=64,
        eval_resize=64,
        augmentation="pad_crop",
        pad_pixels=8,
    ),
    96: Sizes(
        variant="resnet18",
        image_size=128,
        eval_resize=144,
        augmentation="area_crop",
    ),
    192: Sizes(
        variant="resnet18",
        image_size=224,
        eval_resize=256,
        augmentation="area_crop",
    ),
}

# Ten epochs of fine-tuning, the recipe "finetune"; thirty from random weights.
EPOCHS = {True: 10, False: 30}

# An epoch of 40 pictures is 10 iterations, 5 s on two cores. A ResNet-18
# checkpoint takes 1.5 s, so it waits for several epochs.
MIN_CHECKPOINT_STEPS = 50

# As the recipe "finetune".
FINE_TUNING = {
    "learning_rate": 0.005,
    "decay": "kernels",
    "freeze_batch_norm": True,
    "head_learning_rate_multiplier": 10.0,
    "stage_learning_rate_decay": 0.5,
}

# Fields that a run shares with the run whose weights it starts from.
OF_WEIGHTS = (
    *engines.NETWORK,
    "pixel_mean",
    "image_size",
    "eval_size",
    "eval_resize",
    "exif",
    "augmentation",
    "pad_pixels",
    "scale_range",
)


def make(
    dataset,
    *,
    num_examples,
    shorter_side,
    weights="",
    batch_size=None,
    steps=None,
    epochs=None,
):
    """A `Recipe` for images that nobody has trained on before.

    Args:
        dataset: as `datasets.load` takes it.
        num_examples: int, training images.
        shorter_side: typical shorter side of the images, pixels.
        weights: tag of published weights, or a file, to start from; "" for
            none.
        batch_size: int. Default: up to 32, so that an epoch has several
            iterations.
        steps, epochs: how long, at most one of them. Default: `EPOCHS`.

    Returns:
        `Recipe` that evaluates once an epoch and writes a checkpoint then,
        but not more often than every `MIN_CHECKPOINT_STEPS` iterations.
    """
    starts = list(SIZES)
    # ImageNet weights expect photographs of ImageNet's size.
    side = starts[-1] if weights else shorter_side
    row = SIZES[starts[bisect.bisect_right(starts, side) - 1]]
    batch_size = batch_size or _batch_size(num_examples)
    if steps is None and epochs is None:
        epochs = EPOCHS[bool(weights)]
    steps = durations.to_steps(
        batch_size=batch_size,
        num_examples=num_examples,
        steps=steps,
        epochs=epochs,
    )
    epoch = max(1, round(num_examples / batch_size))
    return Recipe(
        dataset=dataset,
        weights=weights,
        exif="apply",  # phones write photographs as they were held
        batch_size=batch_size,
        steps=steps,
        # A tenth after two thirds and after nine tenths.
        boundaries=tuple(
            dict.fromkeys(b for b in (steps * 2 // 3, steps * 9 // 10) if b)
        ),
        log_every_steps=max(1, epoch // 10),
        eval_every_steps=epoch,
        checkpoint_every_steps=epoch * math.ceil(MIN_CHECKPOINT_STEPS / epoch),
        **dataclasses.asdict(row),
        **(FINE_TUNING if weights else from_random(batch_size)),
    )


def _batch_size(num_examples):
    """Up to 32; fewer for few images, so that an epoch has 8 iterations."""
    size = 32
    while size > 4 and num_examples < 8 * size:
        size //= 2
    return size


def from_random(batch_size):
    """Fields of a run from random weights."""
    # P1 sec. 3.4: 0.1 for 256 images; sec. 4.2: 0.1 for 128 small ones.
    return {"learning_rate": 0.1 * max(batch_size, 16) / 128}
