"""Runs code on another Keras backend: a process chooses its backend once."""

import importlib.util
import os
import subprocess
import sys

import pytest


def run_on(backend, code, *args):
    """Standard output of `code` in a new interpreter on a Keras backend.

    Skips the test that calls it if the backend is not installed.
    """
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install {backend}")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        # What runs here is small: compiling it takes most of the time.
        "XLA_FLAGS": "--xla_backend_optimization_level=1",
    }
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
