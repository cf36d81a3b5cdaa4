"""A block, a schedule and a recipe from outside the package work like ours."""

import json
import os
import shutil
import sys

import keras
import numpy as np
import programs
import pytest
from stops import StopAt

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.inference import extensions
from keras_resnet.networks import specs
from keras_resnet.recipes import schedules
from keras_resnet.training import run
from keras_resnet.training import signals


@pytest.fixture(scope="module")
def own():
    """The module, imported as --import does."""
    extensions.load(["own_rows"])
    yield sys.modules["own_rows"]
    del recipes.RECIPES["own_digits"], specs.BLOCKS["three_layers"]
    del schedules.SCHEDULES["cooling"], sys.modules["own_rows"]
    extensions._loaded.remove("own_rows")


def _rates(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["learning_rate"] for line in lines]


def _train(*words):
    # The number of threads changes the last bits: use that of this process.
    env = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
    words = "train", "--recipe=own_digits", *words
    return programs.start(*words, cwd=programs.SUPPORT, env=env)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of the command that nothing stops."""
    workdir = tmp_path_factory.mktemp("whole")
    done = _train("--import=own_rows", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir


def test_without_its_import_a_command_does_not_know_them(tmp_path):
    unknown = _train(f"--workdir={tmp_path}")
    assert unknown.returncode == 2
    assert "Unknown recipe 'own_digits'" in unknown.stderr


def test_a_run_has_the_block_and_the_rates(own, whole):
    assert _rates(whole) == [0.1, 0.05]
    model = keras.saving.load_model(whole / "model.keras")
    names = [layer.name for layer in model.get_layer("stage2_unit1").layers]
    assert "conv3" in names and model.get_layer("pool").output.shape[-1] == 8
    config = json.loads((whole / "config.json").read_text())
    assert config["imports"] == ["own_rows"]


@pytest.fixture(scope="module")
def stopped(own, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("stopped")
    with pytest.raises(signals.Interrupted):
        run.train_and_evaluate(
            recipes.load("own_digits"), workdir, hooks=[StopAt(3)]
        )
    return workdir


@pytest.mark.parametrize("kept", [True, False])
def test_what_its_state_names_goes_on_after_a_stop(
    kept, own, whole, stopped, tmp_path, monkeypatch
):
    if not kept:
        monkeypatch.setattr(own.Cooling, "STATE", ("warm",))
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    run.train_and_evaluate(recipes.load("own_digits"), tmp_path, resume="must")
    ends = [
        keras.saving.load_model(path / "model.keras").get_weights()
        for path in (whole, tmp_path)
    ]
    assert all(map(np.array_equal, *ends)) == kept
    assert (_rates(tmp_path) == _rates(whole)) == kept


def test_a_stage_narrower_than_its_stem_needs_a_projection(own, tmp_path):
    recipe = recipes.load("own_digits", {"shortcut": "A"})
    with pytest.raises(UsageError, match="^A shortcut.*16 come in, 4 are want"):
        run.train_and_evaluate(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "register, name, row, message",
    [
        (schedules.register, "steps", schedules.Schedule, "schedule 'steps'"),
        (recipes.register, "digits", recipes.Recipe(), "recipe 'digits'"),
        (recipes.register, "mine", {"steps": 1}, "must be a recipes.Recipe"),
        (specs.register, "basic", specs.BLOCKS["one_layer"], "block 'basic'"),
        (specs.register, "mine", (3, 3), "row must be a Placement, Block"),
        (specs.register, 3, specs.BLOCKS["basic"], "must be a text"),
    ],
)
def test_a_name_that_is_taken_or_no_row_is_refused(
    register, name, row, message
):
    with pytest.raises(UsageError, match=message):
        register(name, row)
    assert "mine" not in (recipes.RECIPES | specs.BLOCKS)


def test_a_definition_that_runs_twice_replaces_itself(own, monkeypatch):
    again = type("Cooling", (own.Cooling,), {"__module__": "own_rows"})
    schedules.register("cooling", again)
    assert schedules.SCHEDULES["cooling"] is again
    schedules.register("cooling", own.Cooling)
    with pytest.raises(UsageError, match="schedule 'cooling' already"):
        schedules.register("cooling", lambda recipe: None)
