"""One checkpoint: a directory of files whose damage is detected.

It holds every variable by its path (in the engine's own file), state.json,
statistics.npy if replicas differ, and best.keras, the network of the best
evaluation so far, if the recipe keeps it. state.json has the size and sha256 of
the other files and of itself, so damage is noticed before any variable is
touched.
"""

import contextlib
import hashlib
import json
import pathlib
import re

import numpy as np

from keras_resnet import files as files_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

STATE = "state.json"
STATISTICS = "statistics.npy"
BEST = "best.keras"
_SEED = "/seed_generator_state"
_OLD_SEED = re.compile(rf"seed_generator(_\d+)?{_SEED}")


class DamageError(Exception):
    """A checkpoint is not what was written."""


def write(directory, step, variables, state, statistics=None, best=None):
    """Writes all files and waits for the disk.

    Args:
        directory: pathlib.Path, empty.
        step, variables, state, statistics, best: as `folder.save`.
    """
    variables.save(directory)
    if best is not None:
        files_lib.link(best, directory / BEST)
    if statistics is not None:
        np.save(directory / STATISTICS, statistics)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(directory.iterdir())
    }
    # Convert through JSON before hashing: it turns keys into strings.
    content = json.loads(json.dumps({"step": step, **state, "files": files}))
    content["sha256"] = _sha256_of_json(content)
    (directory / STATE).write_text(json.dumps(content))
    for path in (*directory.iterdir(), directory):
        files_lib.flush(path)


def read(directory):
    """Verifies all files; returns what was written beside the variables.

    Args:
        directory: pathlib.Path.

    Returns:
        (state, statistics): the dict, with "step"; float32 (replicas, N) or
        None.

    Raises:
        DamageError: if a file is missing, is cut off or has changed.
    """
    try:
        content = files_lib.read_json(directory / STATE)
        written = content.pop("sha256")
        _check(written == _sha256_of_json(content), f"{STATE} has changed")
        files = content.pop("files")
        for name, file in files.items():
            size = (directory / name).stat().st_size
            _check(
                size == file["bytes"],
                f"{name} has {size} of {file['bytes']} bytes",
            )
            _check(
                _sha256(directory / name) == file["sha256"],
                f"{name} has changed",
            )
        statistics = None
        if STATISTICS in files:
            statistics = np.load(directory / STATISTICS, allow_pickle=False)
    except OSError as error:
        name = pathlib.Path(error.filename or directory).name
        raise DamageError(f"{name}: {error.strerror or error}") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        MemoryError,
    ) as error:
        raise DamageError(f"{STATE} is not what was written") from error
    return content, statistics


@contextlib.contextmanager
def taking(directory):
    """Reports in one line a checkpoint that no run has written.

    Args:
        directory: the one that holds the checkpoint.

    Raises:
        keras_resnet.UsageError: in place of the error that an odd value raises.
    """
    try:
        yield
    except UsageError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UsageError(
            f"The {STATE} of the newest checkpoint in {directory} holds what "
            f"no run has written: {error!r}. Delete that checkpoint, or take "
            "another --workdir."
        ) from error


def check_variables(directory, held, wanted):
    """Refuses variables of another network.

    Args:
        directory: of the checkpoint, for the message.
        held, wanted: {path: shape, a list}, of the checkpoint and of this
            network.

    Raises:
        keras_resnet.UsageError: names some that differ.
    """
    missing, extra = sorted(wanted.keys() - held), sorted(held.keys() - wanted)
    reshaped = [
        f"{path} has the shape {held[path]} there, {shape} here"
        for path, shape in wanted.items()
        if held.get(path, shape) != shape
    ]
    examples = [
        *(f"- {path} is missing in it" for path in missing[:2]),
        *(f"+ {path} is not here" for path in extra[:2]),
        *reshaped[:2],
    ]
    require(
        not examples,
        f"{directory} holds other variables than this network: {len(missing)} "
        f"are missing, {len(extra)} are left over, {len(reshaped)} have "
        f"another shape. Such as: {'; '.join(examples)}. It is of another "
        "variant, data set or optimizer: take another --workdir.",
    )


def held_names(held, wanted):
    """{path: its name in a checkpoint} of the variables of a network.

    Version 0.1 left the names of random seeds to Keras, which numbers them over
    the process. They match ours in order.

    Args:
        held, wanted: iterables of paths, of the checkpoint and of this network.
    """
    old = [p for p in held if _OLD_SEED.fullmatch(p) and p not in wanted]
    old.sort(key=lambda path: (len(path), path))
    new = [p for p in wanted if p.endswith(_SEED) and p not in held]
    new = [path for path in new if not _OLD_SEED.fullmatch(path)]
    names = {path: path for path in wanted}
    if len(new) == len(old):
        names.update(zip(new, old, strict=True))
    return names


def _check(good, message):
    if not good:
        raise DamageError(message)


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_json(content):
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
