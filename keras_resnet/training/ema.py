"""Moving averages of the weights, in place of the weights for a while."""

import contextlib

import tensorflow as tf

from keras_resnet.networks import internals


def make_with_ema_weights(strategy, optimizer):
    """How to see the network with the moving averages of its weights.

    The optimizer keeps the averages, average <- m * average + (1 - m) * w
    after each iteration, the first one average = w. BN's moving statistics are
    not averaged: inside the context they are still those that the weights
    themselves have left behind, and `precise_bn` gives the averages their own.

    References: Polyak and Juditsky 1992; exponential as in Szegedy et al.
    2016, arXiv 1512.00567, sec. 8.

    Args:
        strategy: `tf.distribute.Strategy`.
        optimizer: `keras.optimizers.Optimizer`, built in its scope; with
            `use_ema=True`, or the weights stay as they are.

    Returns:
        Function without arguments to a context manager, inside which the model
        has its averaged weights and the optimizer keeps the weights.
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
