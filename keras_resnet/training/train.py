"""`train`: from somebody's own pictures to a model, with defaults for all."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_resnet import recipes
from keras_resnet.evaluation import figures
from keras_resnet.evaluation import reports
from keras_resnet.evaluation.metrics import Metrics
from keras_resnet.evaluation.multi_label import MultiLabelMetrics
from keras_resnet.inference import opening
from keras_resnet.labels import html
from keras_resnet.labels.cards import load_card
from keras_resnet.training import choices
from keras_resnet.training import reporting
from keras_resnet.training import run as run_lib
from keras_resnet.training import workdir as workdir_lib


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A finished run and what it left.

    Attributes:
        workdir: its folder: model.keras, metrics.jsonl, curves.png, ...
        recipe: `recipes.Recipe` that it followed.
        metrics: `Metrics` of the model on the validation split, or on the
            training images that `holdout_examples` sets aside;
            `MultiLabelMetrics` for images with any number of labels.
    """

    workdir: pathlib.Path
    recipe: recipes.Recipe
    metrics: Metrics | MultiLabelMetrics

    @functools.cached_property
    def model(self):
        """`keras.Model` from (B, S, S, 3) pixels 0..255 to probabilities."""
        return opening.load(self.workdir)

    @property
    def history(self) -> list[dict]:
        """The evaluations in order, as metrics.jsonl has them."""
        text = (self.workdir / workdir_lib.METRICS).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the model's outputs, in order."""
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
    warmup_epochs: float | None = None,
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
        weights: tag of published weights, a repository ("hf://OWNER/NAME") or a
            file to start from, as for `build`.
        epochs, steps: length of the run, one of them. Default: the recipe's.
        warmup_epochs: `warmup_steps` in epochs.
        validation: part of each class to hold out if there is no validation
            split, between 0 and 1. Default: 0.2.
        class_names: names for numeric labels, for arrays and sources.
        strategy: from `distribution.make_strategy`. Default: one device.
        **fields: of `recipes.Recipe`, in place of those chosen by the number
            and size of the images.

    Returns:
        `Run`.

    Raises:
        keras_resnet.UsageError: as `train_and_evaluate`.

    Example:

    >>> run = keras_resnet.train("photos", variant="resnet18", epochs=10)
    >>> run.report().save("report.html")
    """
    dataset = choices.name_of(data, validation, class_names)
    recipe = choices.choose(
        dataset,
        weights=str(weights),
        epochs=epochs,
        steps=steps,
        warmup_epochs=warmup_epochs,
        fields=fields,
    )
    workdir = pathlib.Path(workdir or choices.default_workdir(dataset))
    metrics = run_lib.train_and_evaluate(recipe, workdir, strategy=strategy)
    return Run(workdir=workdir, recipe=recipe, metrics=metrics)
