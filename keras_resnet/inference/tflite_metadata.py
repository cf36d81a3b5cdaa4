"""The card of a network: inside a .tflite file or a page, else beside the file.

In a .tflite file labels.txt and card.json are in a ZIP archive after the model,
as in TFLite Model Metadata.
"""

import dataclasses
import pathlib
import zipfile
import zlib

from absl import logging

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS
from keras_resnet.labels.cards import card_of
from keras_resnet.labels.cards import load_card

# What the reader of an archive may raise if it is damaged.
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    zlib.error,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_metadata(path):
    """The card inside a .tflite file that was exported here.

    Raises:
        keras_resnet.UsageError: if there is none inside, or it is damaged.
    """
    require(
        holds_card(path),
        f"{str(path)!r} holds no {LABELS} and {CARD}: keras-resnet export "
        "writes both "
        "into every .tflite file. Export the model again.",
    )
    try:
        with zipfile.ZipFile(path) as archive:
            names, fields = (_unpacked(archive, n) for n in (LABELS, CARD))
    except _DAMAGED as error:
        raise UsageError(
            f"The {LABELS} or {CARD} inside {str(path)!r} is damaged: "
            f"{error}. Copy or export the file again."
        ) from error
    return card_of(names, fields, path)


def _unpacked(archive, name):
    """A member; methods not in `_METHODS` ignore the size that they state."""
    if archive.getinfo(name).compress_type not in _METHODS:
        raise ValueError(f"{name} is neither stored nor deflated")
    with archive.open(name) as file:
        return files.bounded(file, name)


def find_card(path):
    """The card of a network: inside its file or directory, or beside it.

    A .tflite file and a page carry their own card, which is used whatever lies
    beside them. If the card beside them differs, a warning says so.

    Raises:
        keras_resnet.UsageError: if there is none, or it is damaged.
    """
    path = pathlib.Path(path)
    if not holds_card(path):
        return load_card(path.parent)
    card = load_card(path) if path.is_dir() else read_metadata(path)
    try:
        beside = load_card(path.parent)
    except UsageError:  # a lone file, or no whole card
        return card
    # The training data set may be named in other words.
    if dataclasses.replace(beside, dataset=card.dataset) != card:
        logging.warning(
            "%s carries its own %s and %s, which are used. Those beside it "
            "differ: they are of another network, or were changed.",
            path,
            LABELS,
            CARD,
        )
    return card


def holds_card(path):
    """Whether a file or a directory has labels.txt and card.json inside."""
    path = pathlib.Path(path)
    if path.is_dir():
        return all((path / name).is_file() for name in (LABELS, CARD))
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {LABELS, CARD} <= set(archive.namelist())
    except _DAMAGED:
        return False
