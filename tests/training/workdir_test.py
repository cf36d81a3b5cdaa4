"""What may go into a directory: the same run again, and nothing else."""

import dataclasses
import json

import pytest
import tensorflow as tf
from digit_runs import RECIPE

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.inference import extensions
from keras_resnet.training import checks
from keras_resnet.training import distribution
from keras_resnet.training import workdir


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A directory that holds a run with a checkpoint."""
    monkeypatch.setattr(extensions, "_loaded", ["my_module"])
    workdir.claim(tmp_path, RECIPE, {})
    (tmp_path / "metrics.jsonl").touch()
    (tmp_path / "checkpoints" / "step-00000005").mkdir(parents=True)
    return tmp_path


def test_config_json_has_the_recipe_and_the_modules_of_a_user(made):
    config = json.loads((made / "config.json").read_text())
    assert config["recipe"]["batch_size"] == 32
    assert config["imports"] == ["my_module"]
    assert workdir.check(made, RECIPE) == made


@pytest.mark.parametrize(
    "changes, resume, message",
    [
        (
            {"seed": 1, "momentum": 0.5},
            "auto",
            "another recipe .momentum: 0.9 there, 0.5 now; seed: 0 there",
        ),
        ({}, "never", "holds a run: 1 checkpoints. Take another --workdir"),
        ({}, "always", "Unknown --resume 'always'"),
    ],
)
def test_another_run_is_refused(made, changes, resume, message):
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(errors.UsageError, match=message):
        workdir.check(made, recipe, resume)


ODD = [
    "[]",
    "null",
    '{"recipe": 5}',
    '{"recipe": []}',
    '{"recipe": {"batch_size": {}}}',
    '{"recipe": {"scale_range": [[1]]}}',
    '{"recipe": {"seed": 1%s}}' % ("0" * 5000),
    '{"recipe": {"seed": NaN}}',
    "[" * 100_000,
    "\0",
    "",
]


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_an_odd_config_json_is_one_line(made, content):
    (made / "config.json").write_text(content)
    with pytest.raises(errors.UsageError) as raised:
        workdir.check(made, RECIPE)
    assert "\n" not in str(raised.value)


def test_a_run_of_a_version_without_a_field_goes_on(made):
    config = json.loads((made / "config.json").read_text())
    del config["recipe"]["freeze_until"]
    (made / "config.json").write_text(json.dumps(config))
    workdir.claim(made, RECIPE, {})
    other = dataclasses.replace(RECIPE, freeze_until="stem")
    (made / "config.json").write_text(json.dumps(config))
    with pytest.raises(errors.UsageError, match="freeze_until: '' there"):
        workdir.claim(made, other, {})


def test_a_directory_that_holds_no_run(tmp_path):
    with pytest.raises(errors.UsageError, match="no checkpoint in .*=must"):
        workdir.check(tmp_path, RECIPE, "must")
    # Such as an export: the run would overwrite its labels.txt.
    (tmp_path / "labels.txt").write_text("mine")
    with pytest.raises(errors.UsageError, match="holds labels.txt of a model"):
        workdir.check(tmp_path, RECIPE)
    with pytest.raises(errors.UsageError, match="Cannot write into"):
        workdir.claim(tmp_path / "labels.txt" / "x", RECIPE, {})


def test_workers_need_one_directory_at_one_step(made, tmp_path_factory):
    workdir.check_shared(made, RECIPE)
    other = dataclasses.replace(RECIPE, seed=1)
    with pytest.raises(errors.UsageError, match="another recipe .seed: 0"):
        workdir.check_shared(made, other)
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(errors.UsageError, match="storage that they share"):
        workdir.check_shared(empty, RECIPE)
    workdir.check_same_step(made, [20, 20, 20])
    with pytest.raises(
        errors.UsageError, match="chief goes on at step 20, worker 2 at step 0"
    ):
        workdir.check_same_step(made, [20, 20, 0])


@pytest.mark.parametrize(
    "name, devices, message",
    [
        ("mirorred", None, "Did you mean 'mirrored'"),
        ("one_device", 2, "--strategy=mirrored"),
        ("mirrored", 0, "devices must be >= 1"),
        ("mirrored", 9, "Cannot split the CPU"),
    ],
)
def test_devices_that_are_not_there_are_refused(name, devices, message):
    tf.config.list_logical_devices()  # afterwards the CPU cannot be split
    with pytest.raises(errors.UsageError, match=message):
        distribution.make_strategy(name, devices)


def test_splits_of_different_classes_are_refused():
    splits = {n: datasets.load("digits", n) for n in ("train", "validation")}
    checks.check_data(splits, RECIPE)
    names = splits["train"].class_names
    for others, message in (
        ((*names[:9], "ten"), "Only in the one: '9'. Only in the other: 'ten'"),
        (names[::-1], "none, but the order differs"),
    ):
        other = dataclasses.replace(splits["validation"], class_names=others)
        with pytest.raises(errors.UsageError, match=message):
            checks.check_data({**splits, "validation": other}, RECIPE)
