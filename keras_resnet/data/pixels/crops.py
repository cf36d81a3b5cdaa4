"""What a network sees of an image when it is evaluated: one view or several.

Pure functions of an image, eager and in a graph. Shapes: H height, W width,
V views of one size.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from keras_resnet.data.pixels import transforms
from keras_resnet.errors import require

# P1 sec. 3.4: shorter sides, of a network that is evaluated on crops of 224.
SCALES = (224, 256, 384, 480, 640)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The pixels of a network's views.

    Attributes:
        resize: shorter side of the image that crops are taken from.
        crop: side of a crop.
        scales: shorter sides of the whole images of `multi_scale`.
    """

    resize: int
    crop: int
    scales: tuple[int, ...] = ()


def scales_for(crop):
    """P1's SCALES in proportion, for crops of another size than 224.

    For 32 pixels: 32, 37, 55, 69, 91.
    """
    return tuple(round(scale * crop / 224) for scale in SCALES)


def center(image, sizes):
    """Shorter side `resize`, central square: uint8 (1, crop, crop, 3)."""
    crop = transforms.evaluation(image, resize=sizes.resize, size=sizes.crop)
    return (crop[tf.newaxis],)


def ten_crop(image, sizes):
    """AlexNet's ten crops (sec. 4.1, P1 3.4): uint8 (10, crop, crop, 3).

    The four corners and the centre of the whole image at a shorter side of
    `resize`, not of its central square as in AlexNet; then their mirror
    images.
    """
    crops = [
        transforms.resized_crop(
            image, place, resize=sizes.resize, size=sizes.crop
        )
        for place in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))
    ]
    return (_and_mirrored(tf.stack(crops)),)


def multi_scale(image, sizes):
    """The whole image at each shorter side of `scales`, and its mirror image.

    P1 sec. 3.4. A tuple of uint8 (2, H, W, 3), of another H and W each.
    """
    return tuple(
        _and_mirrored(transforms.resize_shorter_side(image, scale)[tf.newaxis])
        for scale in sizes.scales
    )


def _and_mirrored(views):
    return tf.concat([views, tf.reverse(views, [2])], axis=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """One way to look at an image.

    Attributes:
        pixels: (uint8 image (H, W, 3), `Sizes`) -> tuple of uint8
            (V, H, W, 3), a tensor for each size that the views have.
        crops: how many crops it takes of an image, or None if it takes whole
            images, whose sizes differ from image to image.
    """

    pixels: Callable
    crops: int | None

    def check(self, sizes):
        """Refuses sizes that no image can be looked at in.

        A crop is never larger than what it is taken from, whatever the image:
        the shorter side becomes `resize` exactly, the longer one no less.

        Raises:
            keras_resnet.UsageError: if the sizes cannot work.
        """
        if self.crops:
            require(
                sizes.resize >= sizes.crop,
                "The shorter side must not be below the crop. Received: "
                f"eval_resize={sizes.resize}, image_size={sizes.crop}.",
            )
        else:
            require(
                sizes.scales and min(sizes.scales) >= 1,
                "The scales must be one or more shorter sides of at least 1 "
                f"pixel. Received: {sizes.scales}.",
            )

    def images_at_once(self, batch_size):
        """Images of which all views are about a batch of `batch_size` images.

        Whole images come one at a time: padding them to one size would change
        what the network answers.
        """
        return max(1, batch_size // self.crops) if self.crops else 1


VIEWS = {
    "center": Views(pixels=center, crops=1),
    "ten_crop": Views(pixels=ten_crop, crops=10),
    "multi_scale": Views(pixels=multi_scale, crops=None),
}
