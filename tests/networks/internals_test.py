"""Private names of Keras and TensorFlow are what `internals` takes them for.

A version that changes one fails here, by its own number, before it fails in
the middle of a run.
"""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy

from keras_resnet import optimizers
from keras_resnet.networks import internals

VERSIONS = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"


def _arguments(owner, name):
    """The names of a method's arguments, or a failure by version."""
    assert hasattr(owner, name), f"{VERSIONS}: {owner.__name__} has no {name}"
    return [*inspect.signature(getattr(owner, name)).parameters]


@pytest.mark.parametrize(
    "owner, name, arguments",
    [
        (keras.optimizers.Optimizer, "_get_variable_index", "self variable"),
        (
            keras.optimizers.Optimizer,
            "_backend_update_step",
            "self grads trainable_variables learning_rate",
        ),
        (
            keras.optimizers.Optimizer,
            "_distributed_tf_update_step",
            "self distribution grads_and_vars learning_rate",
        ),
        (
            collective_all_reduce_strategy.CollectiveAllReduceExtended,
            "_initialize_local_devices",
            "self cluster_resolver worker_device",
        ),
    ],
)
def test_a_private_method_takes_what_it_took(owner, name, arguments):
    assert _arguments(owner, name) == arguments.split(), VERSIONS


def test_a_name_that_is_gone_is_reported_by_version():
    with pytest.raises(AssertionError, match="Keras 3.*Optimizer has no _sums"):
        _arguments(keras.optimizers.Optimizer, "_sums")


def test_weights_are_paired_with_their_averages():
    weights = [keras.Variable(np.full(2, i, "f")) for i in (1, 2)]
    optimizer = optimizers.SGD(use_ema=True, ema_momentum=0.5, l2=0.0)
    optimizer.build(weights)
    assert [internals.variable_index(optimizer, w) for w in weights] == [0, 1]
    optimizer.apply([np.zeros(2, "f"), np.zeros(2, "f")])
    pairs = internals.weights_and_averages(optimizer)
    for (weight, average), value in zip(pairs, (1, 2), strict=True):
        np.testing.assert_array_equal(weight, np.full(2, value))
        np.testing.assert_array_equal(average, weight)


class Sees(optimizers.SGD):
    """Notes the gradients, and updates only if there is just one."""

    def apply_sums(self, gradients, update):
        self.seen = gradients
        if len(gradients) == 1:
            update()


def test_sums_are_seen_before_the_update_and_may_stop_it():
    weights = [keras.Variable(np.ones(2, "f")) for _ in range(2)]
    for some, changes in ((weights[:1], True), (weights, False)):
        optimizer = Sees(l2=0.0)
        optimizer.build(some)
        before = [np.array(weight) for weight in some]
        optimizer.apply([tf.ones(2) for _ in some])
        assert len(optimizer.seen) == len(some)
        for weight, old in zip(some, before, strict=True):
            assert np.any(weight != old) == changes
