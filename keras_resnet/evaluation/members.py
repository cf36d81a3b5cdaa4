"""Finished models on disk, alone or as an ensemble."""

import itertools
import os
from collections.abc import Mapping

from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import sources
from keras_resnet.data.stores import layouts
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.inference import opening
from keras_resnet.labels import answers
from keras_resnet.labels import class_names


def load(paths, strategy):
    """Opens models that answer for the same classes.

    Args:
        paths: of .keras files, each with its labels.txt and card.json beside
            it.
        strategy: `tf.distribute.Strategy`, in whose scope they are made.

    Returns:
        list of (`keras.Model`, `labels.Card`).

    Raises:
        keras_resnet.UsageError: if a file is missing, damaged, named twice or
            of other classes than the first.
    """
    for path in paths:
        require(
            paths.count(path) == 1,
            f"{str(path)!r} is there more than once: it would count more than "
            "once.",
        )
    with strategy.scope():
        opened = [opening.open_keras(path) for path in paths]
    _, first = opened[0]
    for path, (_, card) in zip(paths, opened, strict=True):
        _check_same_classes(paths[0], first.class_names, path, card)
    return opened


def _check_same_classes(first_path, first, path, card):
    pairs = itertools.zip_longest(first, card.class_names)
    for index, (a, b) in enumerate(pairs):
        require(
            a == b,
            "An ensemble needs networks of the same classes in the same "
            f"order. Class {index} is {a!r} for {str(first_path)!r} and {b!r} "
            f"for {str(path)!r}.",
        )


def open_split(card, data, split, *, data_dir=None, on_bad_image="fail"):
    """(`datasets.Split`, `bad_images.MaskedImages` or None) for a card.

    Args:
        card: `Card` of the model that will look at it.
        data: a folder of class folders, or anything else that `datasets.load`
            takes; None for what the model was trained on. If the model was
            trained on this folder, the same part is held out for validation.
            Or arrays, a source or a `Split`, as `sources.split_of` takes them,
            used whole.
        split, data_dir: as `datasets.load` takes them.
        on_bad_image: as `recipes.max_masked` takes it.

    Raises:
        keras_resnet.UsageError: if there is none, or its classes differ.
    """
    most = recipes.max_masked(on_bad_image)
    if data is None or isinstance(data, (str, os.PathLike)):
        found = datasets.load(_dataset(card, data), split, data_dir=data_dir)
    else:
        several = isinstance(data, Mapping) and "train" in data
        data = lookup(data, split, "split") if several else data
        found = sources.split_of(data, card.class_names)
    class_names.check_same(card.class_names, found.class_names, found.name)
    answers.check_kind(card.multi_label, found)
    return found, bad_images.MaskedImages(found, most) if most else None


def _dataset(card, data):
    """The name of a data set; held out as in training if it is the same."""
    require(
        data is not None or card.dataset,
        "The model's card names no data set: say which one to look at.",
    )
    if data is None:
        return card.dataset
    dataset = datasets.name_of(data)
    (kind, path), (own_kind, own) = (
        name.partition(":")[::2] for name in (dataset, card.dataset)
    )
    if kind == own_kind == "folder":
        (path, asked), (own, _) = map(layouts.parse, (path, own))
        if asked is None and os.path.abspath(path) == os.path.abspath(own):
            return card.dataset
    return dataset
