"""Moving averages of the weights, in place of the weights for a while."""

import contextlib

import tensorflow as tf

from keras_resnet.networks import internals


def make_with_ema_weights(strategy, optimizer):
    """Makes a context in which the network has its averaged weights.

    The optimizer keeps the averages: average <- m * average + (1 - m) * w after
    each iteration, average = w after the first. BN's moving statistics are not
    averaged: inside the context they are still those of the weights themselves.
    `precise_bn` gives the averages their own.

    References: Polyak and Juditsky 1992; exponential as in Szegedy et al.
    2016, arXiv 1512.00567, sec. 8.

    Args:
        strategy: `tf.distribute.Strategy`.
        optimizer: `keras.optimizers.Optimizer`, built in its scope. Without
            `use_ema=True` the weights stay as they are.

    Returns:
        Function without arguments that returns a context manager. Inside it the
        model has the averaged weights and the optimizer keeps the original
        ones.
    """
    if not optimizer.use_ema:
        return contextlib.nullcontext

    def replica_swap():
        for weight, average in internals.weights_and_averages(optimizer):
            held = tf.convert_to_tensor(weight)
            weight.assign(tf.convert_to_tensor(average))
            average.assign(held)

    @tf.function(autograph=False, jit_compile=False)
    def swap():
        strategy.run(replica_swap)

    @contextlib.contextmanager
    def with_ema_weights():
        swap()
        try:
            yield
        finally:
            swap()

    return with_ema_weights
