"""Modules of the commands, for tests."""

import importlib
import pathlib
import sys

PIPELINES = pathlib.Path(__file__).resolve().parents[1] / "pipelines"


def module(name):
    """A module by its name, "reproduction.curves".

    It finds its helpers as a program does: beside the programs.
    """
    sys.path.insert(0, str(PIPELINES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PIPELINES))
