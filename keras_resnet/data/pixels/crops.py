"""What a network sees of an image when it is evaluated: one view or several.

Pure functions of an image, eager and in a graph. Shapes: H height, W width,
V views of one size.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from keras_resnet.data.pixels import transforms
from keras_resnet.errors import require

# P1 sec. 3.4: shorter sides, for a network that is evaluated on crops of 224.
SCALES = (224, 256, 384, 480, 640)


def scales_for(crop):
    """P1's SCALES in proportion, for crops of another size than 224.

    For 32 pixels: 32, 37, 55, 69, 91.
    """
    return tuple(round(scale * crop / 224) for scale in SCALES)


def center(image, view):
    """Shorter side `resize`, central square: uint8 (1, crop, crop, 3)."""
    return (transforms.evaluation(image, view)[tf.newaxis],)


def ten_crop(image, view):
    """AlexNet's ten crops (sec. 4.1, P1 3.4): uint8 (10, crop, crop, 3).

    The four corners and the centre of the whole image at a shorter side of
    `resize`, not of its central square as in AlexNet; then their mirror
    images.
    """
    crops = [
        transforms.evaluation(image, view, place)
        for place in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))
    ]
    return (_and_mirrored(tf.stack(crops)),)


def multi_scale(image, view):
    """The whole image at each shorter side of `scales`, and its mirror image.

    P1 sec. 3.4. A tuple of uint8 (2, H, W, 3), each with its own H and W.
    """
    return tuple(
        _and_mirrored(transforms.resize_shorter_side(image, scale)[tf.newaxis])
        for scale in view.scales
    )


def _and_mirrored(views):
    return tf.concat([views, tf.reverse(views, [2])], axis=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crops:
    """Which parts of an image are looked at.

    Attributes:
        pixels: (uint8 image (H, W, 3), `View`) -> tuple of uint8
            (V, H, W, 3), a tensor for each size.
        number: how many crops of an image, or None for whole images, whose
            sizes differ from image to image.
    """

    pixels: Callable
    number: int | None

    def check(self, view):
        """Refuses a `View` without the scales that whole images need.

        Raises:
            keras_resnet.UsageError: if there are none.
        """
        require(
            self.number or view.scales and min(view.scales) >= 1,
            "The scales must be one or more shorter sides of at least 1 "
            f"pixel. Received: {view.scales}.",
        )

    def images_at_once(self, batch_size):
        """How many images have about `batch_size` views in all.

        Whole images come one at a time: padding them to one size would change
        what the network answers.
        """
        return max(1, batch_size // self.number) if self.number else 1


VIEWS = {
    "center": Crops(pixels=center, number=1),
    "ten_crop": Crops(pixels=ten_crop, number=10),
    "multi_scale": Crops(pixels=multi_scale, number=None),
}
