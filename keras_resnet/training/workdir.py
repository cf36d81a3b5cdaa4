"""The directory of a run: which files it has, and which run owns it."""

import contextlib
import dataclasses
import json
import pathlib

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.inference import extensions
from keras_resnet.inference.opening import MODEL
from keras_resnet.labels import cards
from keras_resnet.training import distillation
from keras_resnet.training.checkpoints import folder

LAST = "last.keras"  # if model.keras is the best
CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
_TEACHER = "teacher_sha256"
MASKED = "masked_images.csv"
METRICS = "metrics.jsonl"

RESUME = {
    "auto": "go on from the last checkpoint, if there is one",
    "must": "fail if there is no checkpoint",
    "never": "fail if there is one",
}


def check(workdir, recipe, resume="auto"):
    """Refuses a directory that this run cannot use; writes nothing.

    Args:
        workdir: path of a directory, which need not exist.
        recipe: `recipes.Recipe`.
        resume: key of `RESUME`.

    Returns:
        pathlib.Path: the workdir.

    Raises:
        keras_resnet.UsageError: if it holds another run, holds or lacks
            checkpoints against `resume`, or is not a local path.
    """
    lookup(RESUME, resume, "--resume")
    require(
        "://" not in str(workdir),
        f"The workdir must be a directory of this machine. Received: "
        f"{str(workdir)!r}.",
    )
    workdir = pathlib.Path(workdir)
    saved = folder.found(workdir / CHECKPOINTS)
    require(
        resume != "must" or saved,
        f"There is no checkpoint in {workdir / CHECKPOINTS}, and "
        "--resume=must asks for one. Is it the right --workdir? Without the "
        "flag the run starts from the beginning.",
    )
    require(
        resume != "never" or not saved,
        f"{workdir} holds a run: {len(saved)} checkpoints. Take another "
        "--workdir, or --resume=auto to go on.",
    )
    names = (MODEL, cards.LABELS, cards.CARD)
    others = [name for name in names if (workdir / name).exists()]
    require(
        (workdir / CONFIG).exists() or not others,
        f"{workdir} holds {', '.join(others)} of a model that no run there "
        "has made: a run would replace them. Take another --workdir.",
    )
    # A run that has made nothing yet is in nobody's way.
    made = saved or any((workdir / n).exists() for n in (METRICS, MODEL))
    if made and (workdir / CONFIG).exists():
        _refuse_another(workdir, recipe)
    return workdir


def _refuse_another(workdir, recipe):
    held = {_TEACHER: _config(workdir).get(_TEACHER, "")}
    changes = differences(
        {**held, **held_fields(workdir)},
        {_TEACHER: distillation.digest(recipe), **fields(recipe)},
    )
    require(
        not changes,
        f"{workdir} holds a run of another recipe ({changes}). "
        "Take another --workdir, or delete this one.",
    )


@contextlib.contextmanager
def held(workdir):
    """Locks a directory against other runs of this machine.

    Two runs would delete each other's checkpoints. The directory is made if it
    is missing; a failure before anything is in it removes it again.

    Args:
        workdir: pathlib.Path.

    Raises:
        files.BusyError: if another run holds it.
        keras_resnet.UsageError: if it cannot be made.
    """
    with files.without_trace(workdir):
        files.folder(workdir, "Take another --workdir.")
        with files.locked(workdir, "Wait for it, or take another --workdir."):
            yield


def claim(workdir, recipe, description):
    """Writes config.json; refuses a directory of another run.

    Call it after all other checks: a recipe that cannot work must leave nothing
    in the way of the next.

    Args:
        workdir: as for `check`; it exists.
        recipe: `recipes.Recipe`.
        description: dict, `engine.Engine.describe()`.

    Raises:
        keras_resnet.UsageError: as `check`, or if it cannot be written.
    """
    check(workdir, recipe)
    config = {
        "recipe": fields(recipe),
        _TEACHER: distillation.digest(recipe),
        "imports": extensions.loaded(),
        **description,
    }
    try:
        files.write_text(workdir / CONFIG, json.dumps(config, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"Cannot write into {workdir}: {error.strerror}. Take another "
            "--workdir."
        ) from error


def check_shared(workdir, recipe):
    """Refuses a directory that does not hold what the chief has written.

    Call it on every worker after the chief has claimed the directory.
    """
    require(
        (workdir / CONFIG).exists(),
        f"There is no {workdir / CONFIG} here, which the chief has written. "
        "All workers need the same --workdir on storage that they share.",
    )
    _refuse_another(workdir, recipe)


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


def held_fields(workdir):
    """`fields` of the recipe whose run a directory holds.

    Raises:
        keras_resnet.UsageError: if its config.json cannot be read.
    """
    return _config(workdir)["recipe"]


def _config(workdir):
    try:
        config = files.read_json(workdir / CONFIG)
        held = config["recipe"]
        if not isinstance(held, dict):
            raise TypeError(f"its recipe is {type(held).__name__}")
        return config
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{workdir / CONFIG} cannot be read: {error}. Delete it if "
            "the directory is this run's, or take another --workdir."
        ) from error


def fields(recipe):
    """A recipe as JSON values: tuples become lists."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def differences(held, wanted):
    """What differs between two recipes, in words; "" if nothing does.

    Args:
        held: `fields` of a recipe that was written. A field that its version
            lacked had the effect of its default.
        wanted: `fields` of this one.
    """
    held = {**fields(recipes.Recipe()), **held}
    return "; ".join(
        f"{name}: {held.get(name)!r} there, {wanted.get(name)!r} now"
        for name in sorted(set(held) | set(wanted))
        if held.get(name) != wanted.get(name)
    )
