"""`train`: from somebody's own pictures to a model, with defaults for all."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import sources
from keras_resnet.data.examples import order
from keras_resnet.data.pixels import headers
from keras_resnet.errors import require
from keras_resnet.evaluation import figures
from keras_resnet.evaluation import reports
from keras_resnet.evaluation.metrics import Metrics
from keras_resnet.evaluation.multi_label import MultiLabelMetrics
from keras_resnet.inference import opening
from keras_resnet.labels import html
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import load_card
from keras_resnet.recipes import own_images
from keras_resnet.training import reporting
from keras_resnet.training import run as run_lib
from keras_resnet.training import workdir as workdir_lib
from keras_resnet.weights import hub
from keras_resnet.weights import repositories

# Images whose headers say how large the others are.
_LOOKED_AT = 64


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A finished run and what it left.

    Attributes:
        workdir: its folder: model.keras, metrics.jsonl, curves.png, ...
        recipe: `recipes.Recipe` that it followed.
        metrics: `Metrics` of the model on the validation split, or
            `MultiLabelMetrics` of images with any number of labels.
    """

    workdir: pathlib.Path
    recipe: recipes.Recipe
    metrics: Metrics | MultiLabelMetrics

    @functools.cached_property
    def model(self):
        """`keras.Model` of (B, S, S, 3) pixels 0..255 to probabilities."""
        return opening.load(self.workdir)

    @property
    def history(self) -> list[dict]:
        """The evaluations in order, as metrics.jsonl has them."""
        text = (self.workdir / workdir_lib.METRICS).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the model's outputs, in their order."""
        return load_card(self.workdir).class_names

    def report(self, split: str = "validation") -> figures.Figures:
        """The figures class by class on a split of the run's data."""
        return reports.evaluate(self.model, split=split)

    def __repr__(self):
        words, best = self.metrics.WORDS, self.metrics.BEST
        return (
            f"<Run {self.workdir}: {self.recipe.variant} on "
            f"{self.recipe.dataset}, {words[best]} "
            f"{getattr(self.metrics, best):.2%} of "
            f"{self.metrics.num_examples:,} images>"
        )

    def _repr_html_(self):
        rows = {
            name: (f"{value:.4f}" if isinstance(value, float) else value)
            for name, value in dataclasses.asdict(self.metrics).items()
        }
        curves = (self.workdir / reporting.CURVES).read_bytes()
        return html.table(str(self.workdir), rows) + html.picture(curves)


def train(
    data: Any,
    workdir: str | os.PathLike | None = None,
    *,
    weights: str | os.PathLike = "",
    epochs: float | None = None,
    steps: int | None = None,
    validation: float | None = None,
    class_names: Sequence[str] | None = None,
    strategy=None,
    **fields,
) -> Run:
    """Trains on pictures in a folder, or goes on where it was stopped.

    Args:
        data: a folder of class folders, with or without folders for training
            and validation (`stores/layouts.py`); a CSV file with the columns
            path, label and maybe split (`stores/table.py`); any data set that
            `datasets.load` takes; or what `sources.hold` takes: arrays
            (images, labels), an object that gives (image, label) for an index
            such as a Hugging Face `datasets.Dataset`, a `Split`, or two of
            these, to train on and for validation.
        workdir: of the run. Default: runs/NAME, by the folder's name.
        weights: of published weights, a repository ("hf://OWNER/NAME") or a
            file to start from, as for `build`.
        epochs, steps: how long, one of them. Default: of the recipe.
        validation: part of each class that is held out where nothing is
            for validation, between 0 and 1. Default: 0.2.
        class_names: of labels that are numbers, for arrays and sources.
        strategy: from `distribution.make_strategy`. Default: one device.
        **fields: of `recipes.Recipe` in place of those that are chosen by the
            number and the size of the images.

    Returns:
        `Run`.

    Raises:
        keras_resnet.UsageError: as `train_and_evaluate`.

    Example:

    >>> run = keras_resnet.train("photos", variant="resnet18", epochs=10)
    >>> run.report().save("report.html")
    """
    dataset = name_of(data, validation, class_names)
    recipe = choose(
        dataset, weights=str(weights), epochs=epochs, steps=steps, fields=fields
    )
    workdir = pathlib.Path(workdir or default_workdir(dataset))
    metrics = run_lib.train_and_evaluate(recipe, workdir, strategy=strategy)
    return Run(workdir=workdir, recipe=recipe, metrics=metrics)


def name_of(data, validation=None, class_names=None):
    """The name of a data set, whatever `train` takes.

    Args:
        data, validation, class_names: as for `train`.

    Raises:
        keras_resnet.UsageError: if it is none, or a part is to be held out
            of other data.
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
    dataset, *, weights="", epochs=None, steps=None, data_dir=None, fields=None
):
    """The recipe of a data set, by the number and the size of its images.

    With the weights of another run of ours, it has that run's network and
    pixels.

    Args:
        dataset, data_dir: as `datasets.load` takes them.
        weights, epochs, steps, fields: as for `train`.

    Returns:
        `recipes.Recipe`.
    """
    split = datasets.load(dataset, "train", data_dir=data_dir)
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
    return recipes.load(recipe, fields)


def _of_weights(weights):
    """Fields of the run that has left some weights; {} where none has."""
    if hub.is_handle(weights):
        found = repositories.describe(weights)
        known = {"variant": found.variant} if found.variant else {}
        return {**known, **found.choices}
    path = pathlib.Path(weights)
    # Others have a config.json beside their weights too.
    beside = (workdir_lib.CONFIG, CARD)
    ours = all((path.parent / name).is_file() for name in beside)
    if not (ours and path.is_file()):
        return {}
    held = workdir_lib.held_fields(path.parent)
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
        except (headers.BadImageError, tf.errors.OpError):
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
