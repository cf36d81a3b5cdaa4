"""What runs: version, machine and day."""

import datetime
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def describe():
    """dict of what the results depend on, and the day, UTC."""
    import keras
    import tensorflow as tf

    import keras_resnet

    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "keras_resnet": keras_resnet.__version__,
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def _commit():
    """The commit, with a + where the code is not that commit's."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "keras_resnet", "pipelines")
    return f"{commit}+" if commit and changed else commit


def _git(*words):
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line for line in lines if line.startswith("model name")]
    return models[0].partition(":")[2].strip() if models else platform.machine()
