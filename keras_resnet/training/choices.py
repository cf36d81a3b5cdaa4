"""Choices for a user's own pictures: names, a workdir and a recipe."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import sources
from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import order
from keras_resnet.data.pixels import headers
from keras_resnet.data.survey import scanning
from keras_resnet.errors import printable
from keras_resnet.errors import require
from keras_resnet.labels.cards import CARD
from keras_resnet.recipes import durations
from keras_resnet.recipes import own_images
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.weights import hub
from keras_resnet.weights import repositories

# Number of images whose headers tell the typical size.
_LOOKED_AT = 64
# Up to this many images, all headers are read before the first step. Beyond it,
# training reports a bad image when it comes to it.
_ALL_LOOKED_AT = 5_000
_NAMED = 5  # in one message


def name_of(data, validation=None, class_names=None):
    """The name of a data set, from anything that `keras_resnet.train` takes.

    Args:
        data, validation, class_names: as for `keras_resnet.train`.

    Raises:
        keras_resnet.UsageError: if it is not a data set, or `validation` is
            given for data that cannot be split.
    """
    if not isinstance(data, (str, os.PathLike)):
        return sources.hold(
            data, class_names=class_names, validation=validation
        )
    require(
        class_names is None,
        "class_names= is for arrays and sources. Received: "
        f"{os.fspath(data)!r}, which has names of its own.",
    )
    dataset = datasets.name_of(data)
    require(
        validation is None or dataset.startswith(("folder:", "csv:")),
        "validation= holds a part out of a folder of pictures or of a CSV "
        f"file. Received: {dataset!r}, which is neither.",
    )
    return (
        dataset
        if validation is None
        else (f"{dataset}?validation={validation}")
    )


def default_workdir(dataset):
    """runs/photos for "folder:/home/me/photos?seed=1"."""
    path = dataset.partition(":")[2] or dataset
    name = pathlib.PurePath(path.partition("?")[0]).name
    return f"runs/{name.removesuffix('.csv') or 'images'}"


def choose(
    dataset,
    *,
    weights="",
    epochs=None,
    steps=None,
    warmup_epochs=None,
    fields=None,
    split=None,
):
    """The recipe of a data set, by the number and the size of its images.

    If `weights` come from another run of ours, the recipe has that run's
    network and pixels.

    Args:
        dataset: as `datasets.load` takes it.
        weights, epochs, steps, warmup_epochs, fields: as for
            `keras_resnet.train`.
        split: the `Split` to train on, if it is open already. Default: that of
            the data set.

    Returns:
        `recipes.Recipe`.
    """
    split = split or datasets.load(dataset, "train")
    fields = {**_of_weights(weights), **(fields or {})}
    recipe = own_images.make(
        dataset,
        num_examples=split.num_examples,
        shorter_side=typical_side(split),
        weights=weights,
        batch_size=fields.pop("batch_size", None),
        steps=steps,
        epochs=epochs,
    )
    if warmup_epochs is not None:
        require(
            "warmup_steps" not in fields,
            "A warm-up takes one of warmup_epochs and warmup_steps. Received: "
            f"{warmup_epochs} and {fields.get('warmup_steps')}.",
        )
        fields["warmup_steps"] = durations.to_steps(
            batch_size=recipe.batch_size,
            num_examples=split.num_examples,
            epochs=warmup_epochs,
        )
    recipe = recipes.load(recipe, fields)
    few = split.num_examples <= _ALL_LOOKED_AT
    if few and not recipes.max_masked(recipe.on_bad_image):
        check_images(split, datasets.load(dataset, "validation"))
    return recipe


def check_images(*splits):
    """Refuses files that are not images before any work is lost.

    Args:
        *splits: `Split`s.

    Raises:
        keras_resnet.UsageError: if the headers of some cannot be read.
    """
    bad = [
        f"{printable(split.describe(outcome.index))}: {outcome.problem}"
        for split in splits
        for outcome in scanning.scan(split, _look_at)
        if outcome.problem
    ]
    named = "; ".join(bad[:_NAMED]) + ("; ..." if bad[_NAMED:] else "")
    require(
        not bad,
        f"Cannot read {len(bad)} images: {named}. Remove or replace them, or "
        f"pass on_bad_image=mask:{len(bad)} (in a shell "
        f"--on_bad_image=mask:{len(bad)}) to go on without them.",
    )


def _look_at(image):
    if isinstance(image, bytes):
        headers.read(image)


def _of_weights(weights):
    """Fields of the run or repository that some weights are from, or {}."""
    if hub.is_handle(weights):
        found = repositories.describe(weights)
        known = {"variant": found.variant} if found.variant else {}
        return {**known, **found.choices}
    path = pathlib.Path(weights)
    # Other programs write a config.json beside their weights too.
    beside = (workdir_lib.CONFIG, CARD)
    ours = all((path.parent / name).is_file() for name in beside)
    if not (ours and path.is_file()):
        return {}
    held = workdir_lib.held_fields(path.parent)
    # A field that its version lacked had the effect of its default.
    held = vars(recipes.Recipe()) | held
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in held.items()
        if name in own_images.OF_WEIGHTS
    }


def typical_side(split):
    """The median of the shorter sides of some images of a split, pixels.

    Raises:
        keras_resnet.UsageError: if none of them can be read.
    """
    places, sides = order.a_few(split.num_examples, _LOOKED_AT), []
    for index in places:
        try:
            sides.append(_shorter_side(split, index))
        except (headers.BadImageError, *graphs.READ_ERRORS):
            continue  # training names it, or masks it
    require(
        sides,
        f"None of {len(places)} images of {split.name} that were looked "
        "at can be read. See what is wrong: keras-resnet data validate "
        f"--dataset={split.name.rpartition('/')[0]}",
    )
    return int(np.median(sides))


def _shorter_side(split, index):
    image, _ = split.read(tf.constant(index, tf.int64))
    if image.dtype != tf.string:
        return min(image.shape[:2])
    header = headers.read(image.numpy())
    return min(header.width, header.height)
