"""Moving averages of the weights against NumPy, and who sees them when."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from digit_runs import read

from keras_resnet import optimizers
from keras_resnet.training import ema
from keras_resnet.training import loss_scale

MOMENTUM = 0.75
STEPS = 6


def _train(strategy, sgd=optimizers.SGD, **choices):
    """The weight, its optimizer and its values after each step."""
    with strategy.scope():
        layer = keras.layers.Layer(name="layer")
        weight = layer.add_weight(shape=(3,), initializer="ones", name="kernel")
        optimizer = sgd(ema_momentum=MOMENTUM, **choices)
        optimizer.build([weight])

    def replica_step(gradient):
        gradient = optimizer.scale_loss(tf.identity(gradient))
        optimizer.apply([gradient], [weight])

    step = tf.function(lambda g: strategy.run(replica_step, args=(g,)))
    values = []
    for seed in range(STEPS):
        gradient = np.random.default_rng(seed).normal(size=3).astype("f")
        step(tf.constant(gradient))
        values.append(read(strategy, weight))
    return weight, optimizer, values


@pytest.mark.parametrize("sgd", [optimizers.SGD, loss_scale.LossScaledSGD])
def test_inside_the_context_the_weights_are_averages(strategy, sgd):
    weight, optimizer, values = _train(strategy, sgd, use_ema=True)
    expected = values[0]
    for value in values[1:]:
        expected = MOMENTUM * expected + (1 - MOMENTUM) * value
    assert np.abs(expected - values[-1]).max() > 1e-2
    with_ema_weights = ema.make_with_ema_weights(strategy, optimizer)
    for _ in range(2):
        with with_ema_weights():
            found = read(strategy, weight)
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        np.testing.assert_array_equal(read(strategy, weight), values[-1])


def test_training_goes_on_with_the_weights_themselves(strategy):
    *_, values = _train(strategy, use_ema=True)
    *_, without = _train(strategy)
    np.testing.assert_array_equal(values, without)


def test_the_weights_come_back_after_an_error(strategy):
    weight, optimizer, values = _train(strategy, use_ema=True)
    with pytest.raises(KeyError):
        with ema.make_with_ema_weights(strategy, optimizer)():
            raise KeyError
    np.testing.assert_array_equal(read(strategy, weight), values[-1])
