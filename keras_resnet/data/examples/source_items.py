"""What a source with random access gives: an image and a label per index."""

import threading
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import pillow
from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require

# Why an object is not a source, by the name of its class or a base class.
_OTHERS = {
    "DatasetV2": "A tf.data.Dataset gives its examples in an order of its own, "
    "so no run could go on exactly where it was stopped. Pass what it was made "
    "of: (images, labels), an object with __len__ and __getitem__, or a "
    "folder.",
    "DataLoader": "A DataLoader gives batches in an order of its own. Pass its "
    "dataset: loader.dataset.",
    "PyDataset": "A PyDataset gives batches. Pass (images, labels), or an "
    "object whose __getitem__ gives one example.",
    "generator": "A generator is read once and in its order, so no run could "
    "go on where it was stopped. Pass list(generator), or an object with "
    "__len__ and __getitem__.",
}


class Items:
    """A source, checked, that is asked for one example at a time.

    Args:
        source, name: as for `Split.from_source`.

    Raises:
        keras_resnet.UsageError: if it is not a source.
    """

    def __init__(self, source, name):
        _refuse_others(source)
        self._source, self._name = source, name
        # A source may not be safe to share between threads.
        self._lock = threading.Lock()

    def labels(self):
        """(N labels, K class names or None)."""
        features = getattr(self._source, "features", None)
        if not isinstance(features, Mapping):
            indices = range(len(self._source))
            return [self._item(index)[1] for index in indices], None
        require(
            "image" in features and "label" in features,
            f"{self._name} needs the columns image and label. Received: "
            f"{', '.join(features)}. Rename those that you mean: "
            'data.rename_column("img", "image").',
        )
        return _of_column(features["label"], list(self._source["label"]))

    def check_repeatable(self):
        """Refuses a source that changes; returns `tf.uint8` or `tf.string`."""
        try:
            first, again = (_pixels(self._item(0)[0]) for _ in range(2))
        except ValueError as error:
            raise UsageError(f"Example 0 of {self._name}: {error}.") from error
        require(
            np.array_equal(first, again),
            f"{self._name} gives another image each time that example 0 is "
            "read, so that no run could go on exactly. Leave augmentation to "
            "the recipe: augmentation='area_crop'.",
        )
        self._kind = type(first)
        return tf.string if self._kind is bytes else tf.uint8

    def image(self, index, exif="ignore"):
        """uint8 (H, W, 3), or the bytes of a file.

        Args:
            index: of the example.
            exif: key of `labels.view.EXIF`, for Pillow images.

        Raises:
            tf.errors.InvalidArgumentError: if it cannot be read, or is of
                another kind than the first.
        """
        try:
            image = _pixels(self._item(int(index))[0], exif)
            require(
                type(image) is self._kind,
                "files and pixels are mixed; all must be as the first is",
            )
        except ValueError as error:
            # Like any image that cannot be read: named, or masked.
            raise tf.errors.InvalidArgumentError(
                None, None, str(error)
            ) from None
        return image

    def upright(self, index):
        """`image`, turned as the EXIF note of a Pillow image says."""
        return self.image(index, "apply")

    def _item(self, index):
        """(image, label) as the source has them."""
        try:
            with self._lock:
                item = self._source[index]
            if isinstance(item, Mapping):
                return item["image"], item["label"]
            image, label = item
        except Exception as error:  # whatever the user's source raises
            raise UsageError(
                f"Example {index} of {self._name} must be (image, label) or "
                f'{{"image": ..., "label": ...}}. Received: '
                f"{type(error).__name__}: {first_line(error)}."
            ) from error
        return image, label


def _refuse_others(source):
    """Refuses what has no random access, or gives batches."""
    kind = type(source)
    received = f"Received: {kind.__module__}.{kind.__name__}."
    for base in kind.__mro__:
        why = _OTHERS.get(base.__name__)
        require(why is None, f"{why} {received}")
    require(
        hasattr(source, "__len__")
        and hasattr(source, "__getitem__")
        and not isinstance(source, (str, bytes, np.ndarray, Mapping)),
        "Data are a folder, a CSV file, the name of a data set, a Split, "
        "(images, labels), or an object with __len__ and __getitem__ that "
        "gives (image, label); a pair of them is train and validation. "
        f"{received}",
    )


def _of_column(feature, column):
    """(labels, names) of a column of Hugging Face's `datasets`."""
    names = getattr(feature, "names", None)
    if names is not None:
        return column, tuple(names)
    names = getattr(getattr(feature, "feature", None), "names", None)
    if names is None:
        return column, None
    labels = np.zeros((len(column), len(names)), np.uint8)
    for row, classes in zip(labels, column, strict=True):
        row[classes] = 1
    return labels, tuple(names)


def _pixels(image, exif="ignore"):
    """An image of any kind as uint8 (H, W, 3), or the bytes of a file.

    Raises:
        ValueError: if its kind is unknown.
    """
    # Hugging Face's Image(decode=False).
    if isinstance(image, Mapping) and image.get("bytes"):
        image = image["bytes"]
    if isinstance(image, bytes):
        return image
    if pillow.is_pillow(image):
        return pillow.pixels(image, exif)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if (
        pixels.dtype != np.uint8
        or pixels.ndim != 3
        or pixels.shape[-1] not in (1, 3)
    ):
        raise ValueError(
            "an image must be of Pillow, uint8 (H, W, 3), (H, W, 1) or (H, W),"
            f" or bytes, not {pixels.dtype.name} {pixels.shape}"
        )
    return np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)
