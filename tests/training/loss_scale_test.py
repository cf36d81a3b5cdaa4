"""Loss scaling: after an overflow on any replica, no replica takes the step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from digit_runs import read

from keras_resnet import optimizers
from keras_resnet.training import distribution
from keras_resnet.training import loss_scale

SCALE = 8.0
INF, NAN = float("inf"), float("nan")
NUMBER = 3  # steps after which the scale grows


def _copies(strategy, variable):
    local = strategy.experimental_local_results(variable.value)
    return [value.numpy() for value in local]


class _Run:
    """An optimizer with one weight, fed gradients of the loss by hand."""

    def __init__(self, strategy, **choices):
        self.strategy = strategy
        with strategy.scope():
            layer = keras.layers.Layer(name="layer")
            self.weight = layer.add_weight(
                shape=(2,), initializer="ones", name="kernel"
            )
            self.optimizer = loss_scale.LossScaledSGD(
                initial_scale=SCALE, growth_steps=NUMBER, **choices
            )
            self.optimizer.build([self.weight])
        self.apply = tf.function(
            lambda slopes: strategy.run(self._replica_apply, args=(slopes,))
        )

    def _replica_apply(self, slopes):
        """Replica i has the loss slopes[i] * sum(weight)."""
        context = tf.distribute.get_replica_context()
        slope = slopes[context.replica_id_in_sync_group]
        scale = self.optimizer.scale_loss(tf.constant(1.0))
        self.optimizer.apply([tf.fill((2,), scale * slope)], [self.weight])

    def step(self, *slopes):
        self.apply(tf.constant(slopes, tf.float32))

    def state(self):
        """(weight, momentum, scale, good steps), equal on all replicas."""
        optimizer = self.optimizer
        variables = (
            self.weight,
            optimizer.momentums[0],
            optimizer.loss_scale,
            optimizer.good_steps,
        )
        return tuple(np.max(read(self.strategy, v)) for v in variables)


def _good(strategy):
    return [0.25] * strategy.num_replicas_in_sync


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
def test_an_overflow_on_the_last_replica_changes_nothing_but_the_scale(
    strategy, bad
):
    run = _Run(strategy)
    run.step(*_good(strategy))
    weight, momentum, scale, good = run.state()
    assert weight < 1 and momentum < 0
    assert (scale, good) == (SCALE, 1)
    run.step(*_good(strategy)[1:], bad)
    assert run.state() == (weight, momentum, SCALE / 2, 0)


def test_the_scale_grows_after_good_steps_in_a_row(strategy):
    run, good = _Run(strategy), _good(strategy)
    bad = [INF, *good[1:]]
    seen = []
    for slopes in (good, good, bad, good, good, good, good):
        run.step(*slopes)
        seen.append(run.state()[2:])
    assert seen == [(8, 1), (8, 2), (4, 0), (4, 1), (4, 2), (8, 0), (8, 1)]


def test_steps_are_those_of_sgd_without_a_scale(strategy):
    run = _Run(strategy, l2=1e-2)
    with strategy.scope():
        layer = keras.layers.Layer(name="layer")
        twin = layer.add_weight(shape=(2,), initializer="ones", name="kernel")
        sgd = optimizers.SGD(l2=1e-2)
        sgd.build([twin])
    total = tf.fill((2,), 0.25)  # the sum over all replicas
    for _ in range(2 * NUMBER):
        run.step(*[0.25 / strategy.num_replicas_in_sync] * len(_good(strategy)))
        sgd.apply([total], [twin])
    assert run.state()[2] == 4 * SCALE
    assert run.state()[0] == np.max(read(strategy, twin))


def test_at_scale_one_a_divergence_shows_in_the_weights(strategy):
    run, good = _Run(strategy), _good(strategy)
    for expected in (4, 2, 1):
        run.step(*good[1:], INF)
        assert run.state()[2] == expected
        assert np.isfinite(run.state()[0])
    run.step(*good[1:], INF)
    copies = _copies(strategy, run.weight)
    assert not np.isfinite(copies).any()


def test_kerass_own_scaler_lets_the_overflow_through():
    """Why we have our own; if this fails, Keras is fixed."""
    strategy = distribution.make_strategy("mirrored", devices=2)
    run = _Run(strategy)
    with strategy.scope():
        sgd = keras.optimizers.SGD(0.1)
        run.optimizer = keras.optimizers.LossScaleOptimizer(sgd)
        run.optimizer.build([run.weight])
    run.step(0.25, INF)
    assert not np.isfinite(_copies(strategy, run.weight)).any()
