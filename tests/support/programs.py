"""The commands and their modules, for tests."""

import importlib
import pathlib
import subprocess
import sys

import zygote

SUPPORT = pathlib.Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
PIPELINES = ROOT / "pipelines"


def module(name):
    """Imports a module by its name, such as "reproduction.curves".

    It finds its helpers as a program does: beside the programs.
    """
    sys.path.insert(0, str(PIPELINES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PIPELINES))


def start(command, *arguments, **options):
    """The result of `python pipelines/COMMAND.py ARGUMENTS`.

    TensorFlow was imported before; see `zygote.run` and its options. With
    `start_cold` the program imports it.
    """
    return zygote.run(PIPELINES / f"{command}.py", *arguments, **options)


def start_cold(command, *arguments, cwd, env=None):
    """The same in a new process, which has imported nothing before."""
    return subprocess.run(
        [sys.executable, PIPELINES / f"{command}.py", *map(str, arguments)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
