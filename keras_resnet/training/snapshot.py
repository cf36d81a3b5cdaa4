"""One checkpoint: a directory of files that know whether they are whole.

It holds every variable by its path (TensorFlow's format), state.json, and
statistics.npy where replicas differ. state.json has the size and sha256 of the
other files and of itself, so damage is noticed before any variable is touched.
"""

import hashlib
import json
import pathlib
import re

import numpy as np
import tensorflow as tf

from keras_resnet import files as files_lib
from keras_resnet.errors import require

STATE = "state.json"
STATISTICS = "statistics.npy"
_VARIABLES = "variables"


class DamageError(Exception):
    """A checkpoint is not what was written."""


def write(directory, step, variables, state, statistics=None):
    """Writes all files and waits for the disk.

    Args:
        directory: pathlib.Path, empty.
        step, variables, state, statistics: as `checkpoint.save`.
    """
    prefix = str(directory / _VARIABLES)
    tf.train.Checkpoint(variables=variables).write(prefix)
    if statistics is not None:
        np.save(directory / STATISTICS, statistics)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(directory.iterdir())
    }
    # Through JSON, which makes strings of keys, before it is hashed.
    content = json.loads(json.dumps({"step": step, **state, "files": files}))
    content["sha256"] = _sha256_of_json(content)
    (directory / STATE).write_text(json.dumps(content))
    for path in (*directory.iterdir(), directory):
        files_lib.flush(path)


def read(directory):
    """What was written beside the variables, all files verified.

    Args:
        directory: pathlib.Path.

    Returns:
        (state, statistics): the dict, with "step"; float32 (replicas, N) or
        None.

    Raises:
        DamageError: if a file is missing, cut or has changed.
    """
    try:
        content = json.loads((directory / STATE).read_text())
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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"{STATE} is not what was written") from error
    return content, statistics


def assign(directory, variables):
    """Gives the variables their values.

    Args:
        directory: pathlib.Path, which `read` has verified.
        variables: from `checkpoint.variables_by_path`.

    Raises:
        keras_resnet.UsageError: if it is of another network; nothing is
            assigned.
    """
    prefix = str(directory / _VARIABLES)
    _check_variables(directory, tf.train.load_checkpoint(prefix), variables)
    checkpoint = tf.train.Checkpoint(variables=variables)
    checkpoint.read(prefix).assert_consumed()


def _check_variables(directory, reader, variables):
    held = {
        # TensorFlow writes "/" as ".S" and "." as "..".
        re.sub(r"\.(.)", lambda m: "/" if m[1] == "S" else ".", key[1]): shape
        for name, shape in reader.get_variable_to_shape_map().items()
        if (key := name.split("/"))[0] == _VARIABLES
    }
    wanted = {path: v.shape.as_list() for path, v in variables.items()}
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


def _check(good, message):
    if not good:
        raise DamageError(message)


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_json(content):
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
