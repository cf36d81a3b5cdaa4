"""--help comes at once, from the tables that the commands read."""

import dataclasses
import functools
import json
import re
import subprocess
import sys

import programs
import pytest

from keras_resnet import recipes
from keras_resnet.commands import doors
from keras_resnet.export import formats
from keras_resnet.export.verification import verify
from keras_resnet.export.writers import onnx
from keras_resnet.inference import runtime

HEAVY = {"keras", "tensorflow", "jax", "torch", "matplotlib", "PIL"}
_RUN = """
import json, sys
from keras_resnet.commands import doors
try:
    doors.main(["keras-resnet", *sys.argv[1:]])
except SystemExit as end:
    print(json.dumps([end.code, *sys.modules]), file=sys.stderr)
"""


@functools.cache
def _heavy(*words):
    """The text and the status of a command, and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words],
        capture_output=True,
        text=True,
        cwd=programs.ROOT,
        timeout=300,
        check=True,
    )
    *rest, last = done.stderr.splitlines()
    status, *modules = json.loads(last)
    text = done.stdout + "\n".join(rest)
    return text, status, {m.split(".")[0] for m in modules} & HEAVY


@pytest.mark.parametrize("command", doors.COMMANDS)
def test_help_loads_nothing_that_takes_time(command):
    text, status, heavy = _heavy(command, "--help")
    assert (status, heavy) == (0, set())
    assert "--import" in text and max(map(len, text.splitlines())) <= 80


def test_a_wrong_flag_is_told_as_soon():
    text, status, heavy = _heavy("train", "--learning_rat=1")
    assert (status, heavy) == (2, set())
    assert "Did you mean --learning_rate?" in text


def _fields(text):
    """{field: its value} as the groups of a recipe show them."""
    shown = text[text.index("Network and data") :]
    rows = re.findall(r"^  --(\w+)(?:=(\S+))?", shown, re.M)
    return dict(rows)


@pytest.mark.parametrize(
    "name, words",
    # The first is the default.
    [("digits", ()), ("imagenet_resnet50", ("--recipe=imagenet_resnet50",))],
)
def test_fields_stand_in_groups_with_the_values_of_the_recipe(name, words):
    text, _, _ = _heavy("train", *words, "--help")
    titles = re.findall(rf"^(.*) \(of --recipe={name}\):$", text, re.M)
    assert titles == list(recipes.GROUPS.values())
    recipe = recipes.RECIPES[name]
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        shown = _fields(text).pop(field.name)
        assert shown == (
            str(value).lower() if isinstance(value, bool) else str(value)
        )


def test_defaults_are_the_librarys():
    text, _, _ = _heavy("export", "--help")
    assert f"--formats={','.join(formats.DEFAULT_FORMATS)}\n" in text
    assert re.search(rf"--opset={onnx.OPSET} .*{onnx.OPSETS[0]}-", text)
    assert set(formats.FORMATS) <= set(re.findall(r"\w+", text))
    text, _, _ = _heavy("verify", "--help")
    assert f"--tolerance={verify.TOLERANCE} " in text
    assert ", ".join(runtime.RUNTIMES) in text
