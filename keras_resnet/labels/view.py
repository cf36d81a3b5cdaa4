"""The part of an image that a network sees when it is evaluated."""

import dataclasses

from keras_resnet.errors import lookup
from keras_resnet.errors import require

EXIF = {
    "ignore": "pixels are taken as they are stored",
    "apply": (
        "a JPEG is turned upright as its camera has noted; notes in PNG and "
        "WebP files do not count"
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """Which side is up, a resize and a crop, in pixels.

    Attributes:
        resize: shorter side of the image that crops are taken from.
        crop: side of a square crop, S.
        scales: shorter sides of the whole images of `multi_scale`.
        exif: key of `EXIF`, what to do with the note of how a camera was held.
            The code that decodes an image applies it.

    Raises:
        keras_resnet.UsageError: if no image can have such a view: a crop is
            never larger than the image that it is taken from.
    """

    resize: int
    crop: int
    scales: tuple[int, ...] = ()
    exif: str = "ignore"

    def __post_init__(self):
        lookup(EXIF, self.exif, "choice of exif")
        sizes = self.crop, self.resize
        require(
            all(type(size) is int for size in sizes)
            and 0 < self.crop <= self.resize,
            "image_size and eval_resize must be ints, and eval_resize not "
            f"below image_size, which is above 0. Received: "
            f"eval_resize={self.resize!r}, image_size={self.crop!r}.",
        )

    @classmethod
    def of(cls, fields, scales=()):
        """The view of an object with `eval_resize`, `image_size` and `exif`.

        Args:
            fields: `labels.cards.Card`, or `recipes.Recipe`, whose `eval_size`
                counts if it has one.
            scales: as the attribute.
        """
        return cls(
            resize=fields.eval_resize,
            crop=getattr(fields, "eval_size", 0) or fields.image_size,
            scales=scales,
            exif=fields.exif,
        )

    def at(self, crop):
        """The same part of an image, in a crop of another size."""
        resize = max(crop, round(self.resize * crop / self.crop))
        return dataclasses.replace(self, resize=resize, crop=crop)

    def part(self, height, width):
        """Where the crop lies in an image of this size.

        Returns:
            (top, left, bottom, right), float pixels of the image.
        """
        shorter = min(height, width)
        resized = [n * self.resize // shorter for n in (height, width)]
        corner = [(n - self.crop) // 2 for n in resized]
        first, last = (
            [
                (at + shift) * n / of
                for at, n, of in zip(corner, (height, width), resized)
            ]
            for shift in (0, self.crop)
        )
        return (*first, *last)
