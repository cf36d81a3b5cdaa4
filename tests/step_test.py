"""One step on two devices is one step on one device, and what BN does."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import optimizers
from keras_resnet import specs
from keras_resnet.training import distribution
from keras_resnet.training import step

BATCH = 12

# ResNet-8 with every BN taken out of its rows.
WITHOUT_BN = {
    "stem": dataclasses.replace(specs.STEMS["cifar"], ops=("conv", "relu")),
    "placement": specs.Placement(between=("relu",), after_add=("relu",)),
}


@pytest.fixture(scope="module")
def strategies():
    return {
        1: distribution.make_strategy("one_device"),
        2: distribution.make_strategy("mirrored", devices=2),
    }


def _batch(seed=0, weight=None):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(256, size=(BATCH, 8, 8, 3)).astype(np.uint8),
        "label": rng.integers(10, size=BATCH).astype(np.int32),
        "weight": np.ones(BATCH, "f") if weight is None else weight,
    }


def _run(strategy, batches, **choices):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_resnet.build(
            "resnet20", depths=(1, 1, 1), input_shape=(8, 8, 3), **choices
        )
        optimizer = optimizers.SGD(learning_rate=0.1)
        optimizer.build(model.trainable_variables)
    train_step = step.make_train_step(strategy, model, optimizer)
    dataset = tf.data.Dataset.from_generator(
        lambda: batches,
        output_signature={
            key: tf.TensorSpec(value.shape, value.dtype)
            for key, value in batches[0].items()
        },
    )
    dataset = dataset.unbatch().batch(BATCH, drop_remainder=True)
    sums = [
        np.asarray(train_step(batch))
        for batch in strategy.experimental_distribute_dataset(dataset)
    ]
    return model, sums


def _arrays(model):
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}


def _distance(model, other):
    ours, theirs = _arrays(model), _arrays(other)
    assert ours.keys() == theirs.keys()
    return max(np.abs(ours[path] - theirs[path]).max() for path in ours)


def test_without_bn_two_devices_equal_one_to_rounding(strategies):
    batches = [_batch(i) for i in range(3)]
    one, sums_one = _run(strategies[1], batches, **WITHOUT_BN)
    two, sums_two = _run(strategies[2], batches, **WITHOUT_BN)
    assert not any("bn" in path for path in _arrays(one))
    assert _distance(one, two) < 2e-6
    np.testing.assert_allclose(sums_one, sums_two, rtol=1e-5)


def test_the_loss_divides_by_the_valid_examples_of_the_global_batch(
    strategies,
):
    # All valid examples are on one device, and one masked label is absurd.
    weight = np.array([1] * 6 + [0] * 6, "f")
    masked = _batch(weight=weight)
    changed = {**masked, "label": np.roll(masked["label"], 1)}
    changed["label"][:6] = masked["label"][:6]
    one, sums = _run(strategies[1], [masked], **WITHOUT_BN)
    two, _ = _run(strategies[2], [changed], **WITHOUT_BN)
    assert sums[0][3] == 6
    assert _distance(one, two) < 2e-6


def test_bn_normalises_each_device_by_its_own_batch(strategies):
    """As in the papers: 32 images a GPU on ImageNet, 64 on CIFAR."""
    one, _ = _run(strategies[1], [_batch()])
    two, _ = _run(strategies[2], [_batch()])
    assert _distance(one, two) > 1e-4
    # With the same images on both devices there is nothing to tell apart.
    half = {key: value[: BATCH // 2] for key, value in _batch().items()}
    double = {key: np.concatenate([v, v]) for key, v in half.items()}
    one, _ = _run(strategies[1], [double])
    two, _ = _run(strategies[2], [double])
    assert _distance(one, two) < 2e-6


def _replicas(variable):
    return [value.numpy() for value in variable.value.values]


def test_moving_statistics_are_averaged_over_the_devices(strategies):
    strategy = strategies[2]
    model, _ = _run(strategy, [_batch(0), _batch(1)])
    statistics = [v for v in model.variables if v.name.startswith("moving")]
    before = [_replicas(variable) for variable in statistics]
    # Keras 3 keeps a copy a device, and they differ: the reason to average.
    assert any(np.abs(a - b).max() > 1e-3 for a, b in before)
    step.make_sync_batch_norm(strategy, model)()
    for variable, copies in zip(statistics, before, strict=True):
        for copy in _replicas(variable):
            np.testing.assert_allclose(
                copy, np.mean(copies, axis=0), rtol=1e-5, atol=1e-6
            )


def test_evaluation_counts_every_example_once_on_any_devices(strategies):
    weight = np.array([1, 0] * 6, "f")
    sums = []
    for strategy in strategies.values():
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = keras_resnet.build(
                "resnet20", depths=(1, 1, 1), input_shape=(8, 8, 3)
            )
        eval_step = step.make_eval_step(strategy, model)
        dataset = tf.data.Dataset.from_tensors(_batch(weight=weight))
        dataset = dataset.unbatch().batch(BATCH, drop_remainder=True)
        distributed = strategy.experimental_distribute_dataset(dataset)
        sums += [np.asarray(eval_step(batch)) for batch in distributed]
    assert len(sums) == 2
    assert sums[0][3] == 6
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-5)
