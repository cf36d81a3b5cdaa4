"""Each replica's BN statistics, through a checkpoint and back."""

import numpy as np
import pytest

import keras_resnet
from keras_resnet import optimizers
from keras_resnet.training import batch_norm
from keras_resnet.training import distribution
from keras_resnet.training.checkpoints import folder
from keras_resnet.training.engines.tensorflow_variables import Variables


def _network(name, devices=None):
    strategy = distribution.make_strategy(name, devices)
    with strategy.scope():
        model = keras_resnet.build("resnet20", depths=(1, 1, 1))
        optimizer = optimizers.SGD()
        optimizer.build(model.trainable_variables)
    return strategy, model, Variables.of(model, optimizer)


@pytest.fixture(scope="module")
def mirrored():
    return _network("mirrored", 2)


def _rows(model, seed):
    count = sum(v.shape[0] for v in batch_norm.statistics_of(model))
    return np.random.default_rng(seed).normal(size=(2, count)).astype("f")


def test_each_replica_gets_its_own_back(mirrored):
    strategy, model, _ = mirrored
    rows = _rows(model, 0)
    batch_norm.scatter(strategy, model, rows)
    assert batch_norm.gather(strategy, model).tobytes() == rows.tobytes()
    # Replica 1 really holds its own row: the first channels of the first BN.
    mean = batch_norm.statistics_of(model)[0]
    for own, row in zip(mean.value.values, rows, strict=True):
        np.testing.assert_array_equal(own, row[: mean.shape[0]])


def test_the_mean_is_what_others_read(mirrored, tmp_path):
    strategy, model, variables = mirrored
    rows = _rows(model, 1)
    batch_norm.scatter(strategy, model, rows)
    batch_norm.make_sync(strategy, model)()
    folder.save(tmp_path, 5, variables, {}, keep=1, statistics=rows)
    _, one, theirs = _network("one_device")
    state, statistics, _ = folder.restore(tmp_path, theirs)
    assert state == {"step": 5}
    assert statistics.tobytes() == rows.tobytes()
    read = [v.numpy() for v in batch_norm.statistics_of(one)]
    np.testing.assert_allclose(
        np.concatenate(read), rows.mean(axis=0), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("name, devices", [("one_device", 1), ("mirrored", 2)])
def test_one_device_s_checkpoint_fills_every_replica(
    mirrored, tmp_path, name, devices
):
    """So does a checkpoint of two devices: every byte of every copy."""
    _, _, saved = _network(name, devices)
    rng = np.random.default_rng(2)
    for variable in saved.values():
        if variable.dtype.is_floating:
            variable.assign(rng.normal(size=variable.shape))
    folder.save(tmp_path, 5, saved, {}, keep=1)
    strategy, _, variables = mirrored
    folder.restore(tmp_path, variables)
    for path, variable in variables.items():
        for copy in strategy.experimental_local_results(variable):
            assert copy.numpy().tobytes() == saved[path].numpy().tobytes()


def test_one_replica_has_nothing_to_gather():
    strategy, model, _ = _network("one_device")
    assert batch_norm.gather(strategy, model) is None
