"""What an experiment is, and the runs that it consists of. No TensorFlow."""

import dataclasses
import itertools
import pathlib
import typing
from collections.abc import Mapping

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require

SCALES = {
    "quick": "reduced, on a laptop",
    "quarter": "the papers' but for a quarter of their iterations",
    "full": "the papers' schedules",
    "rates": "quick's at each rate of a grid, a part held out to choose by",
}
# P1 4.2 determines its schedule on a part of the training images, too.
HELD_OUT = 0.2


class NotReadyError(UsageError):
    """A row needs what other rows leave, and they have not run yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A network of an experiment.

    Attributes:
        variant: key of `keras_resnet.VARIANTS`.
        paper: what the paper prints for it, "6.61"; "" for nothing.
        overrides: fields of the recipe in place of the setting's.
        panel: title of the panel of the picture that shows it.
        base: key of `recipes.RECIPES`; "" for the experiment's.
    """

    variant: str
    paper: str = ""
    overrides: Mapping = dataclasses.field(default_factory=dict)
    panel: str = ""
    base: str = ""


class Setting(typing.NamedTuple):
    """What a scale runs on a data set."""

    recipe: Mapping = {}  # fields in place of the experiment's base recipe's
    rows: tuple = ()  # the experiment's rows that it has; () for all
    seeds: int = 3  # how many, from 0
    # Each row is trained at each rate, without `HELD_OUT` of the training
    # images. These choose the best rate. () for the recipe's rate alone.
    rates: tuple = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A table or figure of the papers.

    Attributes:
        title, question, source: a line each.
        rows: {name: `Row`}.
        settings: {scale: {data set: `Setting`}}; the first data set of a
            scale is its default.
        unit: of the rows' `paper`.
        silent: what the papers do not say, and what was chosen.
        answer: to the question, in words, from the committed records.
        base: key of `recipes.RECIPES`.
        reference: name of the row that all others are compared with, drawn
            in each panel of a picture; "" for the first of each panel.
        module: of this package. Its functions are
            run(job): the result, a dict of JSON values,
            table(experiment, records of one scale and data set): Markdown,
            and perhaps picture(experiment, records, path of a PNG),
            summary(records of a row) and how(records), words.
    """

    title: str
    question: str
    source: str
    rows: Mapping
    settings: Mapping
    unit: str = "test error on CIFAR-10, %"
    silent: tuple[str, ...] = ()
    answer: str = ""
    base: str = "cifar10_resnet20"
    reference: str = ""
    module: str = "curves"

    @property
    def fails(self):
        """Whether its table in the papers calls a large test error "fail"."""
        return any(row.paper.startswith("fail") for row in self.rows.values())


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: a row of an experiment with one seed.

    Attributes:
        experiment, scale, row_name: str.
        row: `Row`.
        recipe: `recipes.Recipe`, with the data set and the seed.
        workdir: pathlib.Path of this run alone.
        data_dir: of TensorFlow Datasets, or None.
        held_out: share of the training images, held out to choose a rate.
    """

    experiment: str
    scale: str
    row_name: str
    row: Row
    recipe: recipes.Recipe
    workdir: pathlib.Path
    data_dir: str | None = None
    held_out: float = 0.0

    @property
    def seed(self):
        return self.recipe.seed

    @property
    def dataset(self):
        return self.recipe.dataset

    @property
    def key(self):
        """What distinguishes its record from the experiment's others."""
        rate = self.recipe.learning_rate
        return (self.scale, self.dataset, self.row_name, self.seed, rate)


def make(
    name,
    experiment,
    scale,
    *,
    dataset=None,
    rows=None,
    seeds=None,
    workdir,
    data_dir=None,
    overrides=None,
):
    """The runs of an experiment, seed by seed.

    Args:
        name, experiment: item of `experiments.EXPERIMENTS`.
        scale: key of `SCALES`.
        dataset: as `--dataset` of train.py. Default: the scale's first. One
            without a setting takes the setting of the first, but `overrides`
            must give its pixels.
        rows: names. Default: those of the setting.
        seeds: ints. Default: as many as the setting says.
        workdir: of all experiments.
        data_dir: as `Job.data_dir`.
        overrides: fields of the recipe in place of all others.

    Returns:
        list of `Job`.

    Raises:
        keras_resnet.UsageError: if a name is unknown or a value cannot work.
    """
    overrides = overrides or {}
    require(
        not overrides.get("holdout_examples"),
        "An experiment's test error is that of the validation images: "
        "--holdout_examples cannot stand in for them. --scale=rates holds out "
        "a part to choose rates by.",
    )
    dataset, setting = _setting(name, experiment, scale, dataset, overrides)
    folder = dataset.replace(":", "/").split("/")
    place = pathlib.Path(workdir, name, scale, "-".join(filter(None, folder)))
    held_out = HELD_OUT if setting.rates else 0.0
    jobs = []
    for seed, rate, row_name in itertools.product(
        range(setting.seeds) if seeds is None else seeds,
        _rates(setting, overrides),
        rows or setting.rows or experiment.rows,
    ):
        row = lookup(experiment.rows, row_name, f"row of {name}")
        fields = {"variant": row.variant, "dataset": dataset, "seed": seed}
        fields = {**setting.recipe, **fields, **row.overrides, **rate}
        recipe = recipes.load(
            row.base or experiment.base, {**fields, **overrides}
        )
        its = [f"rate_{value}" for value in list(rate.values())[:1]]
        its = place.joinpath(row_name, *its, f"seed_{seed}")
        jobs.append(
            Job(name, scale, row_name, row, recipe, its, data_dir, held_out)
        )
    return jobs


def _rates(setting, overrides):
    """Fields of a recipe for each rate of a setting; a warm-up takes 1/5."""
    rates = setting.rates
    if rates and "learning_rate" in overrides:
        rates = (overrides["learning_rate"],)
    fields = [
        {"learning_rate": rate, "warmup_learning_rate": rate / 5}
        for rate in rates
    ]
    return fields or [{}]


def _setting(name, experiment, scale, dataset, overrides):
    """The data set and the `Setting` that a scale runs on it."""
    lookup(SCALES, scale, "scale")
    settings = experiment.settings.get(scale)
    require(settings, f"{name} has no scale {scale!r}.")
    first, *_ = settings
    dataset = dataset or first
    require(
        dataset in settings or "image_size" in overrides,
        f"{name} says for {', '.join(settings)} how many pixels the network "
        "sees, not for other data. Say it: --image_size=32 --eval_resize=32. "
        f"Received: dataset={dataset!r}.",
    )
    return dataset, settings.get(dataset, settings[first])
