"""Detection and segmentation on features of plain and of residual networks.

Runs the programs of docs/examples that find digits, with several seeds.
"""

import dataclasses
import importlib
import math
import pathlib
import statistics
import sys

import numpy as np
from benchmarks import tables
from reproduction import results
from reproduction import spreads
from reproduction.backbone_rows import BACKBONE
from reproduction.backbone_rows import NETWORKS
from reproduction.backbone_rows import SETTING
from reproduction.backbone_rows import TASKS

from keras_resnet import recipes
from keras_resnet.errors import DivergedError
from keras_resnet.errors import require

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "examples"
# Fields of a recipe that are flags of these experiments, too.
USED = (
    *("variant", "depths", "filters", "block", "placement", "shortcut"),
    *("train_examples", "seed", "batch_size", "steps", "learning_rate"),
    # A recipe of few steps needs these three, too.
    *("boundaries", "eval_every_steps", "checkpoint_every_steps"),
)
TESTED, TENTHS = 500, 10  # test scenes, and their parts


def run(job):
    """Trains the network of an example, and scores it.

    Returns:
        dict of JSON values: "loss" of the last epoch; "test_scenes", their
        number; "scores", {name: score of all test scenes}, 0 to 1; and
        "tenths", {name: scores of each tenth of them}.

    Raises:
        keras_resnet.UsageError: if the recipe sets a field that does nothing
            here: the record would claim what was not done.
    """
    import keras

    _check(job)
    scenes, training = map(example, ("digit_scenes", "digit_training"))
    task = example(TASKS[job.row_name.partition(" ")[0]])
    keras.utils.set_random_seed(job.seed)
    recipe = job.recipe
    train, test = split(scenes, choosing=job.experiment == "backbone_rates")
    model = task.train(
        training.backbone(recipe.variant, **recipe.architecture),
        scenes.make(*train, recipe.train_examples, job.seed),
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
    )
    loss = model.history.history["loss"][-1]
    if not math.isfinite(loss):
        raise DivergedError(f"The loss is {loss}", recipe.steps, str)
    tested = in_tenths(scenes, test, TESTED)
    return {
        "loss": loss,
        "test_scenes": len(tested.images),
        **scored(task, tested, task.find(model, tested.images)),
    }


def _check(job):
    given = dataclasses.asdict(job.recipe)
    used = {name: given[name] for name in USED}
    fields = {**SETTING.recipe, "dataset": "digits", **used}
    planned = dataclasses.asdict(recipes.load(BACKBONE.base, fields))
    idle = [name for name in given if given[name] != planned[name]]
    require(
        not idle,
        f"{job.experiment} has scenes and a training of its own. It takes "
        f"{', '.join(USED)}. Received: {', '.join(idle)}.",
    )


def example(name):
    """Imports a module of docs/examples; it can import those beside it."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXAMPLES))


def split(scenes, choosing):
    """Digits to train on, and digits to test on: (images, labels) of each.

    Args:
        scenes: the module `digit_scenes`.
        choosing: whether to hold out every fifth training digit in place of
            the test digits, so that the choice depends on no test digit.
    """
    train = scenes.digits("train")
    if not choosing:
        return train, scenes.digits("validation")
    is_held = np.arange(len(train[1])) % 5 == 4
    return [[of[chosen] for of in train] for chosen in (~is_held, is_held)]


def in_tenths(scenes, digits, number):
    """Scenes in tenths; no two tenths have a digit in common.

    Args:
        scenes: the module `digit_scenes`.
        digits: (images, labels).
        number: of scenes.
    """
    images, labels = digits
    parts = [
        scenes.make(
            images[i::TENTHS], labels[i::TENTHS], number // TENTHS, 10_000 + i
        )
        for i in range(TENTHS)
    ]
    whole = scenes.Scenes(*(sum(map(list, of), []) for of in zip(*parts)))
    return whole._replace(
        images=np.stack(whole.images), masks=np.stack(whole.masks)
    )


def scored(task, scenes, found):
    """ "scores" and "tenths" of `run`, by the `score` of an example."""
    each = len(scenes.images) // TENTHS
    parts = [slice(i, i + each) for i in range(0, TENTHS * each, each)]
    of_parts = [
        task.score(scenes._make(field[part] for field in scenes), found[part])
        for part in parts
    ]
    scores = task.score(scenes, found)
    return {
        "scores": {name: round(value, 6) for name, value in scores.items()},
        "tenths": {
            name: [round(of[name], 6) for of in of_parts] for name in scores
        },
    }


def table(experiment, records):
    """Scores of each network, what residual ones gain, and the answer."""
    rows = results.by_row(experiment, records)
    ours = [line for row, mine in rows.items() for line in _lines(row, mine)]
    gained = [line for task in TASKS for line in _gains(rows, task)]
    parts = [tables.table(_OURS, ours)]
    if gained:
        parts += [tables.table(_GAINED, gained), answer(gained)]
    return "\n\n".join(parts)


_OURS = "row | score | ours, % | sampling error, points | seeds | s"
_GAINED = (
    "ResNet less plain, same seed | score | points | sampling error, points | "
    "residual features are"
)


def _lines(row, records):
    """A line for each score of a row; one if all its runs diverged."""
    done = results.finished(records)
    for name in done[0]["result"]["scores"] if done else ("",):
        errors = [sampling_error(r["result"]["tenths"][name]) for r in done]
        yield [
            row,
            name,
            _percent(records, name),
            f"{100 * max(errors):.1f}" if done else "",
            str(len(records)),
            ", ".join(f"{record['seconds']:,.0f}" for record in done),
        ]


def answer(gained):
    """Puts the lines of `_gains` into words."""
    said = {}
    for task, score, points, _, word in gained:
        said.setdefault(word, []).append(f"{task}, {score}: {points} points")
    return "With this budget, residual features are {}.".format(
        ". Residual features are ".join(
            f"{word} ({'; '.join(of_one)})" for word, of_one in said.items()
        )
    )


def _percent(records, name):
    return spreads.percent(records, lambda result: result["scores"][name])


def _gains(rows, task):
    """A line for each score of a task, once both networks ran."""
    plain, residual = (
        {
            record["seed"]: record["result"]
            for record in results.finished(rows.get(f"{task} {name}", []))
        }
        for name in NETWORKS
    )
    pairs = [(plain[s], residual[s]) for s in sorted({*plain} & {*residual})]
    for name in pairs[0][0]["scores"] if pairs else ():
        points, errors = [], []
        for theirs, ours in pairs:
            points.append(100 * (ours["scores"][name] - theirs["scores"][name]))
            tenths = np.subtract(ours["tenths"][name], theirs["tenths"][name])
            errors.append(100 * sampling_error(tenths))
        error = max(errors)
        middle = statistics.median(points)
        spread = f"{middle:+.1f} ({min(points):+.1f}..{max(points):+.1f})"
        yield [
            task,
            name,
            spread,
            f"{error:.1f}",
            spreads.verdict(points, error),
        ]


def sampling_error(tenths):
    """The standard error of a score, from its values on tenths of the test."""
    return statistics.stdev(map(float, tenths)) / len(tenths) ** 0.5


def summary(records):
    """The scores of one row, in words."""
    done = results.finished(records)
    names = done[0]["result"]["scores"] if done else ()
    return "; ".join(f"{name} {_percent(records, name)} %" for name in names)
