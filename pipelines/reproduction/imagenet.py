"""Trains a row of the ImageNet tables and evaluates it as the tables do."""

import dataclasses
from collections.abc import Callable

from benchmarks import tables
from reproduction import curves
from reproduction import imagenet_photographs
from reproduction import imagenet_rows
from reproduction import spreads
from reproduction import training
from reproduction.jobs import NotReadyError

from keras_resnet.data.pixels.crops import scales_for
from keras_resnet.evaluation import members as members_lib
from keras_resnet.evaluation import views as views_lib
from keras_resnet.labels.view import View
from keras_resnet.training import distribution
from keras_resnet.training import workdir as workdir_lib


@dataclasses.dataclass(frozen=True)
class Look:
    """How a table looks at images.

    Attributes:
        name: key of `crops.VIEWS`.
        view: `Card` of a model -> `View`.
    """

    name: str
    view: Callable


def _trained_for(card):
    return View.of(card, scales_for(card.image_size))


def _larger(card):
    # P2 Table 5: a crop of 320 from a shorter side of 320, trained on 224.
    side = round(card.image_size * 320 / 224)
    return View(resize=side, crop=side)


VIEWS = {
    "center": Look("center", _trained_for),
    "ten_crop": Look("ten_crop", _trained_for),
    "multi_scale": Look("multi_scale", _trained_for),
    "center_320": Look("center", _larger),
}


def run(job):
    """Trains a network, or finds those of an ensemble, and evaluates them.

    Args:
        job: `jobs.Job` of `imagenet_rows.IMAGENET`.

    Returns:
        dict: "views", {key of VIEWS: see `errors`} for each view that the
        tables have of the row; for an ensemble "members", list of "ROW/seed_N";
        otherwise what `training.train` returns.

    Raises:
        jobs.NotReadyError: if a member of an ensemble has not been trained.
        keras_resnet.errors.DivergedError: if it diverges.
    """
    if job.dataset == imagenet_rows.PHOTOGRAPHS:
        imagenet_photographs.ensure(job.dataset.partition(":")[2])
    if job.row_name in imagenet_rows.ENSEMBLES:
        result, paths = _ensemble(job)
    else:
        result = training.train(job)
        paths = [job.workdir / workdir_lib.MODEL]
    names = imagenet_rows.views(job.row_name)
    return {**result, "views": errors(paths, names, job)}


def _ensemble(job):
    members = [
        f"{row}/seed_{job.seed + after}"
        for row, after in imagenet_rows.ENSEMBLES[job.row_name]
    ]
    beside = job.workdir.parent.parent
    paths = [beside / member / workdir_lib.MODEL for member in members]
    lacking = [
        member
        for member, path in zip(members, paths, strict=True)
        if not path.exists()
    ]
    if lacking:
        raise NotReadyError(
            f"{job.row_name} needs models in {beside} that have not been "
            f"trained: {', '.join(lacking)}. Run them with --rows and "
            "--seeds, then the same command again."
        )
    return {"members": members}, paths


def errors(paths, names, job):
    """Errors of a model, or of the mean of several, in several views.

    Args:
        paths: of .keras files, with their labels and cards beside them.
        names: keys of VIEWS.
        job: `jobs.Job`: its data set, and how many crops are seen at once.

    Returns:
        {name: {"top1_error", "top5_error", "loss", "num_examples"}}, 0..1.
    """
    strategy = distribution.make_strategy("one_device")
    loaded = members_lib.load(paths, strategy)
    recipe = job.recipe
    split, masked = members_lib.open_split(
        loaded[0][1],
        recipe.dataset,
        "validation",
        data_dir=job.data_dir,
        on_bad_image=recipe.on_bad_image,
    )
    found = {}
    for name in names:
        look = VIEWS[name]
        metrics = views_lib.evaluate(
            [
                views_lib.Member(model=model, view=look.view(card))
                for model, card in loaded
            ],
            strategy,
            split,
            views=look.name,
            # As many images as training has in memory.
            batch_size=recipe.batch_size // recipe.gradient_accumulation_steps,
            masked=masked,
        )[-1]
        found[name] = {
            "top1_error": round(metrics.top1_error, 6),
            "top5_error": round(metrics.top5_error, 6),
            "loss": metrics.loss,
            "num_examples": metrics.num_examples,
        }
    return found


def table(experiment, records):
    """The papers' tables beside ours, one after the other.

    They have each line that a paper has, and each of ours that was run.
    """
    del experiment
    parts = []
    for title, lines in imagenet_rows.TABLES.items():
        shown = [
            _cells(line, mine)
            for line in lines
            if (mine := _of(line, records)) or line.top1 or line.top5
        ]
        if shown:
            titles = (
                "network | view | paper: top-1, % | paper: top-5, % | "
                "top-1, % | top-5, % | seeds"
            )
            parts.append(f"{title}:\n\n{tables.table(titles, shown)}\n")
    return "\n".join(parts)


def _of(line, records):
    return [record for record in records if record["row"] == line.row]


def _cells(line, records):
    ours = [_errors(records, line.view, f"top{k}_error") for k in (1, 5)]
    seeds = str(len(records) or "")
    return [line.row, line.view, line.top1, line.top5, *ours, seeds]


def _errors(records, view, name):
    return spreads.percent(records, lambda result: result["views"][view][name])


def summary(records):
    """Errors of one row in each view, in words."""
    views = imagenet_rows.views(records[0]["row"])
    return "; ".join(
        f"{_errors(records, view, 'top1_error')} / "
        f"{_errors(records, view, 'top5_error')} ({view})"
        for view in views
    )


# Errors over iterations, as P1 Fig. 4.
picture = curves.picture
