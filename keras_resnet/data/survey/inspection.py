"""What is in a split: classes, sizes, formats and files that are not images.

Sizes and formats are those of the headers; `manifest.py` decodes the pixels.
"""

import array
import collections
import csv
import dataclasses
import functools
import os
from typing import Any

import numpy as np

from keras_resnet import files
from keras_resnet.data.examples import class_labels
from keras_resnet.data.pixels import headers
from keras_resnet.data.stores import cells
from keras_resnet.data.survey import scanning

# What is read, but perhaps not as its owner thinks.
NOTES = {
    "misnamed": "another format than the name says; read by its content",
    "CMYK": "converted to RGB without a colour profile",
    "16 bits": "reduced to 8 bits a channel",
    "alpha": "transparency is dropped",
    "animated": "the first frame is read",
    "EXIF rotation": "turned by exif=apply alone; here exif={exif}",
    "PNG or WebP rotation": "not applied: read as stored",
    "one pixel thin": "width or height of one pixel",
}
_NUMBERS = functools.partial(array.array, "q")


@dataclasses.dataclass(kw_only=True)
class Survey:
    """What was found; a few numbers for each example.

    Attributes:
        split: the `datasets.Split`.
        class_counts: int64 (K,), examples of each class, unreadable ones too.
        widths, heights: pixels, of the examples that seem readable.
        file_bytes: of the same.
        formats, modes: `collections.Counter`, of the same.
        notes: key of `NOTES` -> [number, index of the first].
        unreadable: [(index, reason)].
    """

    split: Any
    class_counts: np.ndarray
    widths: array.array = dataclasses.field(default_factory=_NUMBERS)
    heights: array.array = dataclasses.field(default_factory=_NUMBERS)
    file_bytes: array.array = dataclasses.field(default_factory=_NUMBERS)
    formats: dict = dataclasses.field(default_factory=collections.Counter)
    modes: dict = dataclasses.field(default_factory=collections.Counter)
    notes: dict = dataclasses.field(default_factory=dict)
    unreadable: list = dataclasses.field(default_factory=list)

    @property
    def num_readable(self):
        """Examples whose headers are fine."""
        return len(self.widths)


def survey(split, *, max_pixels=headers.MAX_PIXELS):
    """Reads every file of a split and the header of each.

    Args:
        split: `datasets.Split`.
        max_pixels: int, width times height above which a file is unreadable.

    Returns:
        `Survey`; `num_readable + len(unreadable)` is `split.num_examples`.
    """
    num_classes = len(split.class_names)
    counts = np.zeros(num_classes, np.int64)
    found = Survey(split=split, class_counts=counts)

    def work(image):
        return _header(image, max_pixels), len(bytes(image))

    for outcome in scanning.scan(split, work):
        for label in class_labels.classes_of(outcome.label):
            if label in range(num_classes):
                counts[label] += 1
        if outcome.problem is not None:
            found.unreadable.append((outcome.index, outcome.problem))
        else:
            _add(found, outcome.index, *outcome.value)
    return found


def _header(image, max_pixels):
    if isinstance(image, bytes):
        return headers.read(image, max_pixels)
    height, width, _ = image.shape
    return headers.Header(
        format="pixels", width=width, height=height, mode="RGB"
    )


def _add(found, index, header, size):
    found.widths.append(header.width)
    found.heights.append(header.height)
    found.file_bytes.append(size)
    found.formats[header.format] += 1
    found.modes[header.mode] += 1
    for note in _notes(header, found.split.describe(index)):
        found.notes.setdefault(note, [0, index])[0] += 1


def _notes(header, name):
    """The keys of `NOTES` that apply to a file."""
    said = os.path.splitext(name)[1].lower().removeprefix(".")
    said = {"jpg": "jpeg"}.get(said, said)
    is_turned = header.orientation != 1
    held = {
        "misnamed": said in headers.FORMATS and said != header.format,
        "CMYK": header.mode == "CMYK",
        "16 bits": header.bits == 16,
        "alpha": header.mode in ("RGBA", "grey+alpha"),
        "animated": header.animated,
        "EXIF rotation": is_turned and header.format == "jpeg",
        "PNG or WebP rotation": is_turned and header.format != "jpeg",
        "one pixel thin": min(header.width, header.height) == 1,
    }
    return [note for note, holds in held.items() if holds]


def write_classes(found, path):
    """A CSV of label, class, examples; one row for each class."""
    rows = zip(found.split.class_names, found.class_counts, strict=True)
    write_csv(
        path,
        ("label", "class", "examples"),
        ((label, name, n) for label, (name, n) in enumerate(rows)),
    )


def write_unreadable(found, path):
    """A CSV of index, file, reason; one row for each unreadable example."""
    describe = found.split.describe
    write_csv(
        path,
        ("index", "file", "reason"),
        ((index, describe(index), why) for index, why in found.unreadable),
    )


def write_csv(path, header, rows):
    """A CSV in UTF-8; names that are not UTF-8 keep their bytes."""
    with (
        files.replacing(path) as beside,
        open(
            beside, "w", newline="", encoding="utf-8", errors="surrogateescape"
        ) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(map(cells.write, row) for row in rows)
