"""Where the classes of a folder of pictures are, and what is held out of them.

Three layouts are told apart by what is there:

    PATH/train/CLASS/*.jpg and PATH/validation/CLASS/*.jpg
    PATH/train/CLASS/*.jpg alone
    PATH/CLASS/*.jpg

In the last two, a part of each class is held out for validation, the same
whenever PATH is opened: a fifth, or what "PATH?validation=0.1&seed=3" says.
"""

import dataclasses
import os
import re
import urllib.parse

from keras_resnet.data.examples import holdout
from keras_resnet.data.stores import listing
from keras_resnet.errors import lookup
from keras_resnet.errors import require

# What the folder of a split may be called; the first that exists counts.
SPLITS = {
    "train": ("train",),
    "validation": ("validation", "val", "valid", "test"),
}
_QUERY = re.compile(r"\?((?:validation|seed)=[^/?]*)$")


@dataclasses.dataclass(frozen=True)
class HoldOut:
    """What is held out of the images if there is no folder for validation.

    Attributes:
        validation: part of each class, between 0 and 1.
        seed: chooses which ones.
    """

    validation: float = 0.2
    seed: int = 0

    def __post_init__(self):
        holdout.check(self.validation)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where a split is.

    Attributes:
        train: bytes, the folder whose subfolders are the classes.
        wanted: bytes, the folder of the split, maybe the same.
        held_out: `HoldOut` where the split is a part of `wanted`, or None.
    """

    train: bytes
    wanted: bytes
    held_out: HoldOut | None = None


def find(path, split):
    """The `Layout` of a split.

    Args:
        path: of a folder, with or without a query.
        split: "train", "validation", or the name of a folder in it.

    Raises:
        keras_resnet.UsageError: if there is no such folder or split, or the
            query cannot be read or is not for this folder.
    """
    path, query = parse(path)
    root = os.fsencode(path)
    require(
        listing.is_folder(root),
        f"There is no folder {path!r}. It would hold CLASS/*.jpg, or "
        "train/CLASS/*.jpg and validation/CLASS/*.jpg.",
    )
    folders = [os.fsdecode(name) for name in listing.subfolders(root)[0]]
    train = os.path.join(root, b"train")
    if "train" not in folders or not listing.subfolders(train)[0]:
        require(
            split in SPLITS,
            f"{path!r} has class folders, so its splits are train and "
            f"validation. Received: {split!r}.",
        )
        return Layout(root, root, query or HoldOut())
    names = [n for n in SPLITS.get(split, (split,)) if n in folders]
    require(
        names or split in SPLITS,
        f"There is no folder {os.path.join(path, split)!r}. There are: "
        f"{', '.join(folders)}.",
    )
    if folders == ["train"]:
        return Layout(train, train, query or HoldOut())
    require(
        not query,
        f"{path!r} has a folder for validation, so nothing is held out of "
        "train. Received: a path that ends in a query.",
    )
    require(
        names,
        f"{path!r} has no folder {', '.join(SPLITS['validation'])}. Rename "
        f"one of: {', '.join(folders)}.",
    )
    return Layout(train, os.path.join(root, os.fsencode(names[0])))


def parse(path):
    """(the path without its query, `HoldOut` of the query or None).

    Args:
        path: of a folder or a CSV file.
    """
    path = os.fspath(path)
    found = _QUERY.search(path)
    if not found:
        return path, None
    fields = {"validation": float, "seed": int}
    values = {}
    for name, text in urllib.parse.parse_qsl(found[1], True):
        read = lookup(fields, name, "choice after the ?")
        try:
            values[name] = read(text)
        except ValueError:
            read = None
        require(
            read and 0 <= values[name] < 2**63,
            f"{name} must be a number. Received: {text!r} in {path!r}.",
        )
    return path[: found.start()], HoldOut(**values)
