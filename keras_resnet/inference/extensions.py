"""A user's modules that add rows to our tables: `--import=my_module`."""

import importlib
import os
import sys

from keras_resnet.errors import UsageError

_loaded: list[str] = []


def load(names):
    """Imports modules that register formats, operations and the like.

    They are looked for where Python looks, then in the current directory.

    Args:
        names: dotted names of modules.

    Raises:
        keras_resnet.UsageError: if there is no such module. An error inside a
            module is raised as it is.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):
                raise
            raise UsageError(
                f"--import={name}: there is no module {error.name!r}. Start "
                "the command in its folder, or put that into PYTHONPATH."
            ) from error
        if name not in _loaded:
            _loaded.append(name)


def loaded():
    """Names of the modules that `load` has imported, in order."""
    return tuple(_loaded)
