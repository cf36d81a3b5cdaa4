"""Training batches on JAX from data on the device: TensorFlow's, bit for bit.

Order and augmentation are functions of (seed, epoch, position). The host draws
their integers for some iterations ahead, by the same NumPy code or its twin
(`order`, `draws`); the device gathers the pixels. P1 sec. 4.2: pad, crop,
flip.

B images of a batch, S x S pixels, N examples, T iterations.
"""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np

from keras_resnet.data.examples import order
from keras_resnet.data.pixels import draws
from keras_resnet.data.stores import arrays
from keras_resnet.errors import lookup

# Whether an augmentation pads and whether it flips; `augmentations` has more.
AUGMENTATIONS = {
    "none": (False, False),
    "pad_crop": (True, False),
    "cifar": (True, True),
}
_RESIZED_AT_ONCE = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split(arrays.Arrays):
    """Arrays with the attributes that a run needs of a split.

    Attributes:
        name: "digits/train".
    """

    name: str

    @property
    def num_examples(self):
        """N."""
        return len(self.labels)


class Plan(typing.NamedTuple):
    """What some iterations read: arrays with a first dimension T.

    Attributes:
        indices: int32 (T, B), of the examples.
        corners: int32 (T, B, 2), of the crop in the padded image.
        mirrored: bool (T, B).
    """

    indices: np.ndarray
    corners: np.ndarray
    mirrored: np.ndarray


def plan(num_examples, recipe, first, count):
    """The `Plan` of iterations `first` to `first + count - 1`.

    Args:
        num_examples: N.
        recipe: `recipes.Recipe`.
        first, count: ints.

    Raises:
        keras_resnet.UsageError: for another augmentation than AUGMENTATIONS.
    """
    padding, flips = amounts(recipe)
    steps = range(first, first + count)
    pairs = [order.positions(num_examples, recipe, step) for step in steps]
    indices, seeds = (np.stack(part) for part in zip(*pairs, strict=True))
    pad, flip = (draws.uniform(seeds, name) for name in ("pad", "flip"))
    return Plan(
        indices=indices.astype(np.int32),
        corners=draws.integer(pad, 2 * padding + 1),
        mirrored=np.logical_and(flips, flip[..., 0] < 0.5),
    )


def batch(images, row, recipe, fill):
    """The images of one iteration, on the device.

    Args:
        images: uint8 (N, S, S, 3), all of the split.
        row: `Plan` of one iteration, without the first dimension.
        recipe: `recipes.Recipe`.
        fill: 3 floats, the mean colour, for padding.

    Returns:
        uint8 (B, S, S, 3).
    """
    padding, flips = amounts(recipe)
    if not (padding or flips):
        return images[row.indices]
    places = jnp.arange(images.shape[1]) - padding
    rows = row.corners[:, :1] + places
    columns = row.corners[:, 1:] + places
    columns = jnp.where(row.mirrored[:, None], columns[:, ::-1], columns)
    last = images.shape[1] - 1
    pixels = images[
        row.indices[:, None, None],
        jnp.clip(rows, 0, last)[:, :, None],
        jnp.clip(columns, 0, last)[:, None, :],
    ]
    inside = ((rows >= 0) & (rows <= last))[:, :, None] & (
        (columns >= 0) & (columns <= last)
    )[:, None, :]
    return jnp.where(inside[..., None], pixels, _to_uint8(jnp.asarray(fill)))


def amounts(recipe):
    """(pixels of padding, whether images are mirrored) of a recipe.

    Raises:
        keras_resnet.UsageError: for another augmentation than AUGMENTATIONS.
    """
    pads, flips = lookup(
        AUGMENTATIONS, recipe.augmentation, "augmentation without TensorFlow"
    )
    return recipe.pad_pixels if pads else 0, flips


def resized(images, size):
    """Images as evaluation shows them: bilinear, antialiased.

    At half the size the result is TensorFlow's bit for bit; at other sizes a
    few pixels in 10,000 differ by one, where the sums round.

    Args:
        images: uint8 (N, H, H, 3), NumPy.
        size: S.

    Returns:
        uint8 (N, S, S, 3), NumPy.
    """
    if images.shape[1:3] == (size, size):
        return images

    @jax.jit
    def resize(some):
        shape = (len(some), size, size, 3)
        some = some.astype(jnp.float32)
        return _to_uint8(jax.image.resize(some, shape, "linear"))

    parts = range(0, len(images), _RESIZED_AT_ONCE)
    return np.concatenate(
        [
            np.asarray(resize(images[start : start + _RESIZED_AT_ONCE]))
            for start in parts
        ]
    )


def _to_uint8(pixels):
    """As `colors.to_uint8`: rounded, half upwards."""
    return (pixels + 0.5).astype(jnp.uint8)
