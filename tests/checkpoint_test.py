"""Checkpoints: all or nothing, and damage falls back."""

import types

import numpy as np
import pytest

import keras_resnet
from keras_resnet import errors
from keras_resnet import optimizers
from keras_resnet.training import checkpoint


def _network(**choices):
    model = keras_resnet.build("resnet20", depths=(1, 1, 1), **choices)
    optimizer = optimizers.SGD()
    optimizer.build(model.trainable_variables)
    variables = checkpoint.variables_by_path(model, optimizer)
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
    checkpoint.save(directory, step, network[2], state, keep=keep)
    return _arrays(network[2])


def test_every_variable_of_model_and_optimizer_comes_back(tmp_path, network):
    model, optimizer, variables = network
    assert len(variables) == len(model.variables) + len(optimizer.variables)
    saved = _save(tmp_path, network, 7)
    _fill(variables, 99)
    assert not _equal(saved, _arrays(variables))
    state, statistics, damaged = checkpoint.restore(tmp_path, variables)
    assert state == {"step": 7, "schedule": {"factor": 7}}
    assert (statistics, damaged) == (None, [])
    assert _equal(saved, _arrays(variables))


def test_only_the_last_are_kept_and_leftovers_go(tmp_path, network):
    (tmp_path / ".unfinished-3-1").mkdir()
    for step in (5, 10, 15):
        _save(tmp_path, network, step, keep=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-00000010", "step-00000015"]


def test_no_checkpoint_is_a_fresh_start(tmp_path, network):
    state, _, damaged = checkpoint.restore(tmp_path / "nothing", network[2])
    assert (state, damaged) == (None, [])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: _flip(next(d.glob("variables.data*"))),
        lambda d: next(d.glob("variables.data*")).write_bytes(b""),
        lambda d: next(d.glob("variables.index")).unlink(),
        lambda d: (d / "state.json").write_text("{"),
    ],
    ids=["bit", "truncated", "missing", "json"],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path, network, damage
):
    before = _save(tmp_path, network, 5)
    _save(tmp_path, network, 10)
    damage(tmp_path / "step-00000010")
    assert checkpoint.restore(tmp_path, network[2])["step"] == 5
    assert _equal(before, _arrays(network[2]))
    damage(tmp_path / "step-00000005")
    with pytest.raises(errors.UsageError, match="No checkpoint .* can be read"):
        checkpoint.restore(tmp_path, network[2])


def test_a_checkpoint_of_another_network_is_refused(tmp_path, network):
    _save(tmp_path, network, 5)
    _, _, other = _network(classes=7)
    with pytest.raises(errors.UsageError):
        checkpoint.restore(tmp_path, other)
    _, _, deeper = _network(shortcut="C")
    with pytest.raises(errors.UsageError, match="other variables"):
        checkpoint.restore(tmp_path, deeper)


def test_variables_with_one_path_are_refused(network):
    model, optimizer, _ = network
    twins = types.SimpleNamespace(variables=model.variables * 2)
    with pytest.raises(ValueError, match="Two variables"):
        checkpoint.variables_by_path(twins, optimizer)
