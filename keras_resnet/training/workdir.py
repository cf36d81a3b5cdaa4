"""The directory of a run: what lies where, and whose it is."""

import dataclasses
import json

import keras
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.training import distribution

MODEL = "model.keras"
CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
MASKED = "masked_images.csv"


def claim(workdir, recipe, strategy):
    """Writes config.json; refuses a directory of another recipe."""
    wanted = _wanted(recipe)
    _refuse_changes(workdir, wanted)
    config = {
        "recipe": wanted,
        "strategy": distribution.describe(strategy),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"Cannot write into {workdir}: {error.strerror}. Take another "
            "--workdir."
        ) from error


def check_shared(workdir, recipe):
    """Refuses a directory that does not hold what the chief has written.

    To be called on every worker after the chief has claimed it.
    """
    require(
        (workdir / CONFIG).exists(),
        f"There is no {workdir / CONFIG} here, which the chief has written. "
        "All workers need the same --workdir on storage that they share.",
    )
    _refuse_changes(workdir, _wanted(recipe))


def check_same_step(workdir, steps):
    """Refuses to go on from different checkpoints.

    Args:
        workdir: of the run.
        steps: list of ints, where each worker would go on.
    """
    others = [
        f"worker {i} at step {step}"
        for i, step in enumerate(steps)
        if step != steps[0]
    ]
    require(
        not others,
        f"The chief goes on at step {steps[0]}, {', '.join(others[:5])}: they "
        f"do not read the same checkpoints from {workdir}. All workers need "
        "the same --workdir on storage that they share.",
    )


def _wanted(recipe):
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def _refuse_changes(workdir, wanted):
    defaults = dataclasses.asdict(recipes.Recipe())
    path = workdir / CONFIG
    if path.exists():
        # A field that the run's version did not have had its default's effect.
        held = {**defaults, **json.loads(path.read_text())["recipe"]}
        names = sorted(set(held) | set(wanted))
        changes = [
            f"{name}: {held.get(name)!r} there, {wanted.get(name)!r} now"
            for name in names
            if held.get(name) != wanted.get(name)
        ]
        require(
            not changes,
            f"{workdir} holds a run of another recipe ({'; '.join(changes)}). "
            "Take another --workdir, or delete this one.",
        )
