"""`train`: from somebody's own pictures to a model, with defaults for all."""

import dataclasses
import functools
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data.pixels import headers
from keras_resnet.errors import require
from keras_resnet.evaluation import report as report_lib
from keras_resnet.evaluation import reports
from keras_resnet.evaluation.metrics import Metrics
from keras_resnet.inference import runtime
from keras_resnet.labels import html
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import load_card
from keras_resnet.labels.view import View
from keras_resnet.recipes import own_images
from keras_resnet.training import run as run_lib
from keras_resnet.training import workdir as workdir_lib

# Images whose headers say how large the others are.
_LOOKED_AT = 64


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A finished run and what it left.

    Attributes:
        workdir: its folder: model.keras, metrics.jsonl, curves.png, ...
        recipe: `recipes.Recipe` that it followed.
        metrics: `Metrics` of the model on the validation split.
    """

    workdir: pathlib.Path
    recipe: recipes.Recipe
    metrics: Metrics

    @functools.cached_property
    def model(self):
        """`keras.Model` of (B, S, S, 3) pixels 0..255 to probabilities."""
        return runtime.load_keras(self.workdir / workdir_lib.MODEL)

    @property
    def history(self) -> list[dict]:
        """The evaluations in order, as metrics.jsonl has them."""
        text = (self.workdir / workdir_lib.METRICS).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the model's outputs, in their order."""
        return load_card(self.workdir).class_names

    def report(self, split: str = "validation") -> report_lib.Report:
        """The figures class by class on a split of the run's data."""
        data = datasets.load(self.recipe.dataset, split)
        return reports.make(self.model, View.of(self.recipe), data)

    def __repr__(self):
        return (
            f"<Run {self.workdir}: {self.recipe.variant} on "
            f"{self.recipe.dataset}, accuracy "
            f"{self.metrics.top1_accuracy:.2%} of "
            f"{self.metrics.num_examples:,} images>"
        )

    def _repr_html_(self):
        rows = {
            name: (f"{value:.4f}" if isinstance(value, float) else value)
            for name, value in dataclasses.asdict(self.metrics).items()
        }
        return html.table(str(self.workdir), rows)


def train(
    data: str | os.PathLike,
    workdir: str | os.PathLike | None = None,
    *,
    weights: str | os.PathLike = "",
    epochs: float | None = None,
    steps: int | None = None,
    validation: float | None = None,
    strategy=None,
    **fields,
) -> Run:
    """Trains on pictures in a folder, or goes on where it was stopped.

    Args:
        data: a folder of class folders, with or without folders for training
            and validation (`stores/layouts.py`), or any data set that
            `datasets.load` takes.
        workdir: of the run. Default: runs/NAME, by the folder's name.
        weights: of published weights or a file to start from, as for `build`.
        epochs, steps: how long, one of them. Default: of the recipe.
        validation: part of each class that is held out where no folder is
            for validation, between 0 and 1. Default: 0.2.
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
    dataset = name_of(data, validation)
    recipe = choose(
        dataset, weights=str(weights), epochs=epochs, steps=steps, fields=fields
    )
    workdir = pathlib.Path(workdir or default_workdir(dataset))
    metrics = run_lib.train_and_evaluate(recipe, workdir, strategy=strategy)
    return Run(workdir=workdir, recipe=recipe, metrics=metrics)


def name_of(data, validation=None):
    """The name of a data set from a folder, or from a name.

    Args:
        data, validation: as for `train`.

    Raises:
        keras_resnet.UsageError: if it is neither, or a part is to be held out
            of other data.
    """
    dataset = os.fspath(data)
    if pathlib.Path(dataset).is_dir():
        dataset = f"folder:{dataset.rstrip('/')}"
    known = {**datasets.SOURCES, **datasets.DATASETS}
    require(
        dataset.partition(":")[0] in known,
        f"There is no folder {dataset!r}. Data sets are named as "
        f"{', '.join(datasets.DATASETS)}, or tfds:NAME for any other of "
        "TensorFlow Datasets.",
    )
    require(
        validation is None or dataset.startswith("folder:"),
        "validation= holds a part out of a folder of pictures. Received: "
        f"{dataset!r}, which is none.",
    )
    return (
        dataset
        if validation is None
        else (f"{dataset}?validation={validation}")
    )


def default_workdir(dataset):
    """runs/photos for "folder:/home/me/photos?seed=1"."""
    path = dataset.partition(":")[2] or dataset
    return f"runs/{pathlib.PurePath(path.partition('?')[0]).name or 'images'}"


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
    places = np.linspace(0, split.num_examples - 1, _LOOKED_AT).astype(int)
    sides = []
    for index in dict.fromkeys(places.tolist()):
        try:
            sides.append(_shorter_side(split, index))
        except (headers.BadImageError, tf.errors.OpError):
            continue  # training names it, or masks it
    require(
        sides,
        f"None of {len(set(places))} images of {split.name} that were looked "
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
