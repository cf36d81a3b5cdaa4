"""The folder of a run's checkpoints; restores the newest whole one.

A checkpoint is a directory `step-00000100`, see `checkpoint`. It is written
under another name and renamed when complete, so that a directory of that name
is whole, whenever the process dies.
"""

import contextlib
import os
import pathlib
import re
import shutil

from keras_resnet import files
from keras_resnet.errors import require
from keras_resnet.training.checkpoints import checkpoint

# A step that is saved again gets a number: the old checkpoint stays until the
# new one is complete, as no file system replaces a directory in one step.
_NAME = re.compile(r"step-(\d{8,})(?:-(\d+))?")
_SPARE = 1.2  # times the size of a checkpoint must be free


class SaveError(Exception):
    """A checkpoint could not be written; earlier ones are unchanged."""


def save(
    directory,
    step,
    variables,
    state,
    *,
    keep,
    keep_every=0,
    statistics=None,
    best=None,
):
    """Writes the checkpoint of a step and deletes all but the last `keep`.

    At any moment the directory holds this checkpoint or those before it.

    Args:
        directory: of all checkpoints of a run.
        step: int, iterations done.
        variables: `engine.Engine.variables`.
        state: dict of JSON values: what else decides how the run goes on.
        keep: int >= 1.
        keep_every: int; checkpoints at its multiples are kept too. 0 for none.
        statistics: float32 (replicas, N), what `batch_norm.gather` gave, where
            replicas differ; None where they are equal.
        best: path of a file that the checkpoint keeps too, or None.

    Raises:
        SaveError: if the disk is full or cannot be written.
    """
    directory = pathlib.Path(directory)
    unfinished = directory / f"{files.UNFINISHED}{step}-{os.getpid()}"
    try:
        make_room(directory, variables)
        unfinished.mkdir()
        checkpoint.write(unfinished, step, variables, state, statistics, best)
        final = _unused_name(directory, step)
        os.rename(unfinished, final)
        files.flush(directory)
    except OSError as error:
        _sweep(directory)
        raise SaveError(error.strerror or str(error)) from error
    _prune(directory, final, keep, keep_every)


def make_room(directory, variables):
    """Makes the directory, deletes leftovers and checks the free space.

    Raises:
        OSError: if nothing can be written, or the disk has no room for
            another checkpoint.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _sweep(directory)
    (directory / f"{files.UNFINISHED}probe").mkdir()
    _sweep(directory)
    free = shutil.disk_usage(directory).free
    needed = int(_SPARE * variables.bytes)
    if free < needed:
        raise OSError(
            f"a checkpoint needs {needed / 1e6:.1f} MB, and "
            f"{free / 1e6:.1f} MB are free"
        )


def restore(
    directory,
    variables,
    check=lambda state: None,
    take=lambda path: None,
):
    """Assigns the newest checkpoint that is whole.

    Args:
        directory: of all checkpoints of a run; it need not exist.
        variables: `engine.Engine.variables`.
        check: called with the state before anything is assigned; raises to
            refuse the checkpoint.
        take: called with the checkpoint's path once all is assigned.

    Returns:
        (state, statistics, damaged): state and statistics as given to `save`,
        the state with "step"; and messages on newer checkpoints that are
        damaged. (None, None, []) if there is no checkpoint.

    Raises:
        keras_resnet.UsageError: if there are checkpoints and none is whole, or
            the newest that is whole is of another network.
    """
    damaged = {}
    for path in reversed(found(directory)):
        try:
            state, statistics = checkpoint.read(path)
        except checkpoint.DamageError as error:
            damaged[path] = error
            continue
        check(state)
        variables.load(path)
        take(path)
        messages = [
            f"The checkpoint {bad} is damaged ({reason}); using {path}."
            for bad, reason in damaged.items()
        ]
        return state, statistics, messages
    require(
        not damaged,
        f"There is no usable checkpoint in {directory}: "
        + "; ".join(f"{path.name}: {why}" for path, why in damaged.items())
        + ". Delete it to start from the beginning, or put back a copy.",
    )
    return None, None, []


def found(directory):
    """Paths of the checkpoints in a directory, oldest first."""
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        return []
    names = [name for name in os.listdir(directory) if _NAME.fullmatch(name)]
    return [directory / name for name in sorted(names, key=_order)]


def _order(name):
    step, again = _NAME.fullmatch(name).groups()
    return int(step), int(again or 1)


def _unused_name(directory, step):
    again = [_order(p.name)[1] for p in found(directory) if _step(p) == step]
    suffix = f"-{max(again) + 1}" if again else ""
    return directory / f"step-{step:08d}{suffix}"


def _step(path):
    return _order(path.name)[0]


def _prune(directory, newest, keep, keep_every):
    """Keeps the newest checkpoint, the last ones before it and every n-th.

    Deletes those of the same or a later step: they were damaged, or the run
    would not have come to this step again.
    """
    others = [path for path in found(directory) if path != newest]
    before = [path for path in others if _step(path) < _step(newest)]
    kept = before[::-1][: keep - 1]
    if keep_every:
        kept += [path for path in before if _step(path) % keep_every == 0]
    for path in others:
        if path not in kept:
            # Rename first, so that half a directory is not taken for one.
            with contextlib.suppress(OSError):
                doomed = directory / f"{files.UNFINISHED}{path.name}"
                os.rename(path, doomed)
                shutil.rmtree(doomed)


def _sweep(directory):
    """Deletes what a process that died or a full disk left behind."""
    for leftover in directory.glob(f"{files.UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
