"""Finished models on disk, alone or as an ensemble."""

import itertools
import pathlib

from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.errors import require
from keras_resnet.inference import runtime
from keras_resnet.labels import answers
from keras_resnet.labels import cards as cards_lib
from keras_resnet.labels import class_names
from keras_resnet.networks import outputs


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
        models = [runtime.load_keras(path) for path in paths]
    cards = [cards_lib.load_card(pathlib.Path(path).parent) for path in paths]
    for path, model, card in zip(paths, models, cards, strict=True):
        _check_same_classes(paths[0], cards[0].class_names, path, card)
        answers.check_head(card, path, outputs.is_multi_label(model))
        cards_lib.check_card(
            card,
            path,
            num_classes=model.output_shape[-1],
            image_size=model.input_shape[1],
        )
    return list(zip(models, cards, strict=True))


def _check_same_classes(first_path, first, path, card):
    pairs = itertools.zip_longest(first, card.class_names)
    for index, (a, b) in enumerate(pairs):
        require(
            a == b,
            "An ensemble needs networks of the same classes in the same "
            f"order. Class {index} is {a!r} for {str(first_path)!r} and {b!r} "
            f"for {str(path)!r}.",
        )


def open_split(card, dataset, split, *, data_dir=None, on_bad_image="fail"):
    """(`datasets.Split`, `bad_images.MaskedImages` or None) of a card.

    Arguments are as `datasets.load` and `recipes.max_masked` take them.

    Raises:
        keras_resnet.UsageError: if there is none, or its classes are others.
    """
    most = recipes.max_masked(on_bad_image)
    found = datasets.load(dataset, split, data_dir=data_dir)
    class_names.check_same(card.class_names, found.class_names, found.name)
    answers.check_kind(card.multi_label, found)
    return found, bad_images.MaskedImages(found, most) if most else None
