"""Checkpoints: all or nothing, and damage falls back."""

import os
import re
import types

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import errors
from keras_resnet import optimizers
from keras_resnet.training.checkpoints import checkpoint
from keras_resnet.training.checkpoints import folder
from keras_resnet.training.engines.tensorflow_variables import Variables


def _network(**choices):
    model = keras_resnet.build(
        "resnet20", depths=(1, 1), filters=(16, 32), **choices
    )
    optimizer = optimizers.SGD()
    optimizer.build(model.trainable_variables)
    variables = Variables.of(model, optimizer)
    return model, optimizer, variables


@pytest.fixture(scope="module")
def network():
    return _network()


def _fill(variables, seed):
    rng = np.random.default_rng(seed)
    for variable in variables.values():
        if variable.dtype.is_floating:
            variable.assign(rng.normal(size=variable.shape))


def _arrays(variables):
    return {path: variable.numpy() for path, variable in variables.items()}


def _equal(a, b):
    return all(np.array_equal(a[path], b[path]) for path in a)


def _save(directory, network, step, keep=3):
    _fill(network[2], step)
    state = {"schedule": {"factor": step}}
    folder.save(directory, step, network[2], state, keep=keep)
    return _arrays(network[2])


def test_every_variable_of_model_and_optimizer_comes_back(tmp_path, network):
    model, optimizer, variables = network
    assert len(variables) == len(model.variables) + len(optimizer.variables)
    saved = _save(tmp_path, network, 7)
    _fill(variables, 99)
    assert not _equal(saved, _arrays(variables))
    state, statistics, damaged = folder.restore(tmp_path, variables)
    assert state == {"step": 7, "schedule": {"factor": 7}}
    assert (statistics, damaged) == (None, [])
    assert _equal(saved, _arrays(variables))


def _names(directory):
    return sorted(path.name for path in directory.iterdir())


def _kept(directory):
    return [folder._step(path) for path in folder.found(directory)]


@pytest.mark.parametrize(
    "steps, keep, kept",
    [
        ((9, 99_999_999, 100_000_000), {"keep": 1}, [100_000_000]),
        ((9, 99_999_999, 100_000_000), {"keep": 2}, [99_999_999, 100_000_000]),
        (range(2, 21, 2), {"keep": 2, "keep_every": 8}, [8, 16, 18, 20]),
    ],
)
def test_the_last_and_every_nth_are_kept_and_leftovers_go(
    tmp_path, network, steps, keep, kept
):
    (tmp_path / ".unfinished-3-1").mkdir()
    for step in steps:
        folder.save(tmp_path, step, network[2], {}, **keep)
    assert _kept(tmp_path) == kept
    assert len(_names(tmp_path)) == len(kept)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_step_that_is_saved_again_is_there_at_every_moment(
    tmp_path, network, keep, monkeypatch
):
    _save(tmp_path, network, 5, keep=keep)
    rename, seen = os.rename, []

    def watching(*names):
        seen.append(checkpoint.read(folder.found(tmp_path)[-1])[0])
        rename(*names)
        seen.append(checkpoint.read(folder.found(tmp_path)[-1])[0])

    monkeypatch.setattr(os, "rename", watching)
    again = _save(tmp_path, network, 5, keep=keep)
    assert len(seen) >= 4
    assert {state["step"] for state in seen} == {5}
    assert _names(tmp_path) == ["step-00000005-2"]
    _fill(network[2], 99)
    folder.restore(tmp_path, network[2])
    assert _equal(again, _arrays(network[2]))


def test_a_damaged_later_one_does_not_displace_a_good_one(tmp_path, network):
    for step in (5, 10):
        _save(tmp_path, network, step)
    (tmp_path / "step-00000010" / "state.json").unlink()
    _save(tmp_path, network, 7, keep=1)
    assert _names(tmp_path) == ["step-00000007"]


def test_no_checkpoint_is_a_fresh_start(tmp_path, network):
    state, _, damaged = folder.restore(tmp_path / "nothing", network[2])
    assert (state, damaged) == (None, [])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def _data(directory):
    return next(directory.glob("variables.data*"))


DAMAGE = {
    "bit of the data": (lambda d: _flip(_data(d)), "data.* has changed"),
    "bit of the index": (
        lambda d: _flip(d / "variables.index"),
        "variables.index has changed",
    ),
    "truncated": (lambda d: _cut(_data(d), 1000), "has 1000 of [0-9]+ bytes"),
    "no data": (lambda d: _data(d).unlink(), "data.*: No such file"),
    "no state": (lambda d: (d / "state.json").unlink(), "No such file"),
    "half a state": (lambda d: _cut(d / "state.json", 50), "not what was"),
    "another number": (
        lambda d: (d / "state.json").write_text(
            (d / "state.json").read_text().replace("10", "12", 1)
        ),
        "state.json has changed",
    ),
    "other JSON": (
        lambda d: (d / "state.json").write_text("[1]"),
        "not what was written",
    ),
    "bytes": (
        lambda d: (d / "state.json").write_bytes(b"\xff" * 9),
        "not what was written",
    ),
}


@pytest.mark.parametrize("damage, reason", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path, network, damage, reason
):
    before = _save(tmp_path, network, 5)
    _save(tmp_path, network, 10)
    damage(tmp_path / "step-00000010")
    state, _, (message,) = folder.restore(tmp_path, network[2])
    assert state["step"] == 5
    assert re.search(
        f"step-00000010 is damaged .*{reason}.*; using .*step-00000005",
        message,
    )
    assert _equal(before, _arrays(network[2]))


def test_damaged_checkpoints_alone_are_no_fresh_start(tmp_path, network):
    for step in (5, 10):
        _save(tmp_path, network, step)
        DAMAGE["truncated"][0](tmp_path / f"step-{step:08d}")
    held = _arrays(network[2])
    with pytest.raises(
        errors.UsageError,
        match="no usable checkpoint in .*step-00000010: .*step-00000005: ",
    ):
        folder.restore(tmp_path, network[2])
    assert _equal(held, _arrays(network[2]))


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"classes": 7}, r"logits/bias has the shape \[10\] there, \[7\] here"),
        ({"shortcut": "C"}, "shortcut.* is missing in it"),
        ({"placement": "full_preact"}, "[+] .* is not here"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(
    tmp_path, network, choices, message
):
    _save(tmp_path, network, 5)
    _, _, other = _network(**choices)
    held = _arrays(other)
    with pytest.raises(errors.UsageError, match=f"other variables.*{message}"):
        folder.restore(tmp_path, other)
    assert _equal(held, _arrays(other))


def test_random_seeds_are_saved_under_names_of_the_network(tmp_path):
    """Keras names them by a counter of the process, as the control shows."""
    counted = [keras.layers.Dropout(0.5).variables[0].path for _ in range(2)]
    assert counted[0] != counted[1]
    model, _, variables = network = _network(shortcut="dropout")
    seeds = [path for path in variables if "seed_generator" in path]
    assert seeds[0] == "stage1_unit1_dropout/seed_generator_state"
    _save(tmp_path, network, 5)
    before = [variables[path].numpy() for path in seeds]
    model(np.zeros((1, 32, 32, 3), "uint8"), training=True)
    assert not np.array_equal(before, [variables[p].numpy() for p in seeds])
    _, _, twin = _network(shortcut="dropout")
    for restored in (variables, twin):
        folder.restore(tmp_path, restored)
        held = [restored[path].numpy() for path in seeds]
        assert np.array_equal(before, held)


@pytest.mark.parametrize("count, named", [(2, True), (3, False)])
def test_seeds_that_keras_named_are_ours_in_their_order(count, named):
    """Version 0.1 has such seeds; a different number is another network's."""
    end = "/seed_generator_state"
    wanted = [f"stage1_unit{i}_dropout{end}" for i in (1, 2)]
    held = [f"seed_generator_{i}{end}" for i in (11, 9, 7)[:count]]
    names = checkpoint.held_names(held, wanted)
    assert [*names] == wanted
    found = [f"seed_generator_{i}{end}" for i in (9, 11)]
    assert list(names.values()) == (found if named else wanted)


def test_variables_with_one_path_are_refused(network):
    model, optimizer, _ = network
    twins = types.SimpleNamespace(variables=model.variables * 2)
    with pytest.raises(ValueError, match="Two variables"):
        Variables.of(twins, optimizer)
