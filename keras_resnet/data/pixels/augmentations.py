"""Training's views of an image, as a table: functions of (image, seed) alone.

`training_views.py` applies them. All randomness comes from the numbers.
"""

import dataclasses
from collections.abc import Callable

from keras_resnet.data.examples import graphs
from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import draws as draws_lib
from keras_resnet.data.pixels import finish
from keras_resnet.data.pixels import windows
from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row
from keras_resnet.errors import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Training's view of an image; without a window, evaluation's.

    Attributes:
        about: one line.
        window: (size, draws, recipe) -> float32 (4,), see `parts.read`;
            `draws` are the 22 numbers of "window".
        of_many: whether `window` also takes many images at once, int32
            (..., 2) and float32 (..., 22), and gives float32 (..., 4) with the
            same bits.
        scales: whether `window` scales an image to sides in
            `recipe.scale_range`.
        pads: whether it is padded and cropped, by `recipe.pad_pixels`.
        flips: whether it is mirrored with probability 1/2.
        changes: functions of (float32 pixels (S, S, 3) of 0..255, {name:
            numbers}) that give such pixels, applied in order.
        draws: {name: n}, the uniform numbers that `changes` take per image.
    """

    about: str
    window: Callable | None = None
    of_many: bool = False
    scales: bool = False
    pads: bool = False
    flips: bool = False
    changes: tuple[Callable, ...] = ()
    draws: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        changes = tuple(map(graphs.rewritten, self.changes))
        object.__setattr__(self, "changes", changes)
        if self.window is not None:
            object.__setattr__(self, "window", graphs.rewritten(self.window))


AUGMENTATIONS: dict[str, Augmentation] = {}


def register(name: str, **fields) -> None:
    """Adds an augmentation that `--augmentation` and recipes may name.

    Call it in a module of yours that `--import` names. Take all randomness
    from the numbers, float32 between 0 and 1: they are a function of the seed,
    the epoch and the example, so that a run that resumes sees the same pixels.
    They do not depend on what else is registered.

    Args:
        name: of the augmentation.
        **fields: attributes of `Augmentation`.

    Raises:
        keras_resnet.UsageError: if one of this name exists, or `draws` has
            a name of ours (`draws.COUNTS`, `finish.TAKEN`).

    Example:

    >>> def darken(pixels, draws):
    ...     return pixels * draws["darken"][0]
    >>> register(
    ...     "dark", about="pad, crop, darken", pads=True,
    ...     changes=(darken,), draws={"darken": 1},
    ... )
    """
    row = Augmentation(**fields)
    for part, number in row.draws.items():
        ours = {**draws_lib.COUNTS, **finish.TAKEN}.get(part, number)
        require(
            number == ours,
            f"{part!r} are {ours} numbers. Received: draws={row.draws}.",
        )
    register_row(AUGMENTATIONS, name, row, "augmentation")


def _scale_crop(size, draws, recipe):
    draws = draws[..., : windows.SCALE_CROP_DRAWS]
    return windows.scale_crop(
        size, draws, *recipe.scale_range, recipe.image_size
    )


def _area_crop(size, draws, recipe):
    del recipe
    return windows.area_crop(size, draws)


def _pca(pixels, draws):
    return colors.pca(pixels, draws["pca"])


def _jitter(pixels, draws):
    return colors.jitter(pixels, draws["jitter"])


register("none", about="evaluation's view")
register(
    "pad_crop",
    about="pad, crop; where a mirror image means something else",
    pads=True,
)
register("cifar", about="pad, crop, flip", pads=True, flips=True)
register(
    "scale_crop",
    about="scale, crop, flip",
    window=_scale_crop,
    scales=True,
    of_many=True,
    flips=True,
)
register(
    "imagenet",
    about="scale, crop, flip, PCA colour",
    window=_scale_crop,
    scales=True,
    of_many=True,
    flips=True,
    changes=(_pca,),
    draws={"pca": colors.PCA_DRAWS},
)
register(
    "area_crop",
    about="crop of random area and aspect, flip",
    window=_area_crop,
    of_many=True,
    flips=True,
)
register(
    "area_crop_color",
    about="as area_crop, with colour jitter and PCA colour",
    window=_area_crop,
    of_many=True,
    flips=True,
    changes=(_jitter, _pca),
    draws={"jitter": colors.JITTER_DRAWS, "pca": colors.PCA_DRAWS},
)


def augmentation(name):
    """A row of AUGMENTATIONS by its name."""
    return lookup(AUGMENTATIONS, name, "augmentation")
