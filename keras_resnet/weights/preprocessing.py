"""How other libraries prepare pixels, as this one's constants and view.

This library's networks take pixels 0..255 and compute (x - mean) / std
themselves; a `View` resizes the shorter side and takes the central square.
"""

import dataclasses
import math

import numpy as np
from absl import logging

from keras_resnet.errors import require

# No image of a published network is larger; more would be a mistake.
_MAX_SIZE = 4_096
# From this size on, transformers' ConvNextImageProcessor, which its ResNets
# use, does not crop.
_WARPED_FROM = 384


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What a network sees of an image.

    Attributes:
        mean, std: of R, G and B, 0..255; None if the weights' file has them.
        resize: pixels of the shorter side before the central crop.
        crop: pixels of the square that the network sees.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    resize: int
    crop: int

    def __post_init__(self):
        sizes = self.crop, self.resize
        require(
            all(type(n) is int for n in sizes)
            and 0 < self.crop <= self.resize <= _MAX_SIZE,
            f"it resizes to {self.resize!r} and crops {self.crop!r} pixels, "
            "which is no view of an image.",
        )
        numbers = (*(self.mean or ()), *(self.std or (1.0,)))
        require(
            all(map(math.isfinite, numbers)) and min(self.std or (1,)) > 0,
            f"its pixel constants cannot be: {self.mean}, {self.std}.",
        )

    def resize_for(self, size):
        """The shorter side for another size of the crop, in proportion."""
        return size * self.resize // self.crop


def of_timm(config):
    """`Seen` of timm's `pretrained_cfg`, dict."""
    crop = config["input_size"][-1]
    mode = config.get("crop_mode", "center")
    if mode != "center":
        logging.warning("Its images are cropped in the centre, not %r.", mode)
    return Seen(
        mean=_colours(255 * np.asarray(config["mean"])),
        std=_colours(255 * np.asarray(config["std"])),
        resize=math.floor(crop / config["crop_pct"]),
        crop=crop,
    )


def of_transformers(config):
    """`Seen` of transformers' preprocessor_config.json, dict."""
    scale = config.get("rescale_factor", 1 / 255)
    scale = scale if config.get("do_rescale", True) else 1.0
    mean, std = (0.0,), (1.0,)
    if config.get("do_normalize", True):
        mean, std = config["image_mean"], config["image_std"]
    size = config["size"]
    if isinstance(size, dict):
        size = size.get("shortest_edge") or size["height"]
    crop, resize = size, size
    if config.get("do_center_crop"):
        crop = config["crop_size"]
        crop = crop["height"] if isinstance(crop, dict) else crop
    elif size < _WARPED_FROM:
        resize = int(size / config.get("crop_pct", 224 / 256))
    return Seen(
        mean=_colours(np.asarray(mean) / scale),
        std=_colours(np.asarray(std) / scale),
        resize=resize,
        crop=crop,
    )


def of_keras_hub(config):
    """`Seen` of KerasHub's image_converter.json, dict; x * scale + offset."""
    config = config["config"]
    scale = 1.0 if config.get("scale") is None else config["scale"]
    offset = 0.0 if config.get("offset") is None else config["offset"]
    crop = config["image_size"][0]
    return Seen(
        mean=_colours(-np.asarray(offset) / np.asarray(scale)),
        std=_colours(1 / np.asarray(scale)),
        resize=crop,
        crop=crop,
    )


def of_card(card):
    """`Seen` of this library's `Card`: the weights' file has the constants."""
    return Seen(
        mean=None, std=None, resize=card.eval_resize, crop=card.image_size
    )


def _colours(values):
    """Three floats, also from one for all channels."""
    return tuple(np.broadcast_to(np.asarray(values, "float64"), 3).tolist())
