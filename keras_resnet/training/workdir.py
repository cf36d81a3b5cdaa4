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
    wanted = json.loads(json.dumps(dataclasses.asdict(recipe)))
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
    config = {
        "recipe": wanted,
        "strategy": distribution.describe(strategy),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"Cannot write into {workdir}: {error.strerror}. Take another "
            "--workdir."
        ) from error
