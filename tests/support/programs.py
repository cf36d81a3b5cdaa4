"""The commands and their modules, for tests."""

import importlib
import pathlib
import subprocess
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
PIPELINES = ROOT / "pipelines"


def module(name):
    """A module by its name, "reproduction.curves".

    It finds its helpers as a program does: beside the programs.
    """
    sys.path.insert(0, str(PIPELINES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PIPELINES))


def start(command, *arguments, cwd):
    """What `python pipelines/COMMAND.py ARGUMENTS` did, in a directory."""
    return subprocess.run(
        [sys.executable, PIPELINES / f"{command}.py", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
