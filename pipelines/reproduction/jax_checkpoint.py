"""A checkpoint of a run on JAX: one file, whole or not there."""

import json

import jax
import numpy as np

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

NAME = "checkpoint.npz"
_FACTS = "facts"


def save(workdir, paths, state, facts):
    """Replaces the checkpoint of a run.

    Args:
        workdir: pathlib.Path of the run.
        paths: of the variables, lists of str like the state.
        state: lists of arrays.
        facts: dict of JSON values, what else decides the future.
    """
    arrays = _named(paths, jax.device_get(state))
    arrays[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with files.replacing(workdir / NAME) as path:
        np.savez(path, **arrays)


def load(workdir, paths, state):
    """What `save` saved, or None where there is no checkpoint.

    Args:
        workdir, paths: as for `save`.
        state: of the same network, for shapes and dtypes.

    Returns:
        (state, facts), or None.

    Raises:
        keras_resnet.UsageError: if it is damaged or of another network.
    """
    path = workdir / NAME
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        facts = json.loads(held.pop(_FACTS).tobytes())
    except Exception as error:  # zipfile's, zlib's and NumPy's are many
        raise UsageError(
            f"{path} is damaged: {error}. Delete it to start again."
        ) from error
    wanted = _named(paths, state)
    require(
        _kinds(held) == _kinds(wanted),
        f"{path} holds another network's variables. Take another --workdir.",
    )
    # Donated in the next step: they must be the device's own memory.
    places = iter(jax.device_put(held[name]).copy() for name in wanted)
    return tuple([next(places) for _ in of_one] for of_one in state), facts


def _named(paths, state):
    """{"group/number/path": array}: paths alone may be equal."""
    return {
        f"{group}/{number}/{path}": value
        for group, (names, values) in enumerate(zip(paths, state, strict=True))
        for number, (path, value) in enumerate(zip(names, values, strict=True))
    }


def _kinds(arrays):
    return {
        name: (tuple(value.shape), str(value.dtype))
        for name, value in arrays.items()
    }
