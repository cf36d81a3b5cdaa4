"""What a run saves, and how it comes back.

A checkpoint is a directory `step-00000100` with every variable of the model
and the optimizer, by its path, and state.json. It is written under another
name and renamed when complete, so that a directory of that name is whole.
"""

import json
import os
import pathlib
import shutil

import tensorflow as tf
from absl import logging

from keras_resnet.errors import UsageError

_PREFIX = "step-"
_UNFINISHED = ".unfinished-"


def variables_by_path(model, optimizer):
    """{path: tf.Variable} of all that training changes.

    `tf.train.Checkpoint(model=..., optimizer=...)` would number layers and
    leave out the state of Keras' random seeds.
    """
    found = {}
    for variable in (*model.variables, *optimizer.variables):
        if variable.path in found:
            raise ValueError(f"Two variables are called {variable.path!r}.")
        found[variable.path] = variable.value
    return found


def save(directory, step, variables, state, *, keep):
    """Writes the checkpoint of a step and deletes all but the last `keep`.

    Args:
        directory: of all checkpoints of a run.
        step: int, iterations done.
        variables: from `variables_by_path`.
        state: dict of JSON values: what else decides the future.
        keep: int >= 1.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = directory / f"{_UNFINISHED}{step}-{os.getpid()}"
    unfinished.mkdir()
    tf.train.Checkpoint(variables=variables).write(
        str(unfinished / "variables")
    )
    (unfinished / "state.json").write_text(json.dumps({"step": step, **state}))
    for path in (*unfinished.iterdir(), unfinished):
        _flush(path)
    final = directory / f"{_PREFIX}{step:08d}"
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    _flush(directory)
    for old in _checkpoints(directory)[:-keep]:
        shutil.rmtree(old)


def restore(directory, variables):
    """Assigns the newest checkpoint that can be read.

    Args:
        directory: of all checkpoints of a run; it need not exist.
        variables: from `variables_by_path`.

    Returns:
        The state dict of `save`, with "step"; None where there is no
        checkpoint.

    Raises:
        keras_resnet.UsageError: if there are checkpoints and none is readable.
    """
    found = _checkpoints(pathlib.Path(directory))
    for path in reversed(found):
        try:
            state = json.loads((path / "state.json").read_text())
            checkpoint = tf.train.Checkpoint(variables=variables)
            status = checkpoint.read(str(path / "variables"))
            status.assert_consumed()
            return state
        except (tf.errors.OpError, OSError, ValueError, IndexError) as error:
            reason = str(error).splitlines()[0]
            logging.warning("Checkpoint %s is damaged: %s", path, reason)
        except AssertionError as error:
            raise UsageError(
                f"{path} holds other variables than this network: {error}"
            ) from error
    if found:
        raise UsageError(
            f"No checkpoint in {directory} can be read. Move it away to start "
            "from the beginning."
        )
    return None


def _checkpoints(directory):
    return sorted(directory.glob(f"{_PREFIX}*")) if directory.is_dir() else []


def _flush(path):
    """Waits until the disk has a file or the entries of a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
