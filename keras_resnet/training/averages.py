"""Moving averages of the weights, in place of the weights for a while."""

import contextlib

import tensorflow as tf


def make_averaged(strategy, optimizer):
    """How to see the network with its averaged weights.

    The optimizer keeps the averages, average <- m * average + (1 - m) * w
    after each iteration, the first one average = w. BN's moving statistics are
    not averaged: inside the context they are still those that the weights
    themselves have left behind, and `precise_bn` gives the averages their own.

    References: Polyak and Juditsky 1992; exponential as in Szegedy et al.
    2016, arXiv 1512.00567, sec. 8.

    Args:
        strategy: `tf.distribute.Strategy`.
        optimizer: `keras_resnet.optimizers.SGD`, built in its scope; with
            `use_ema=True`, or the weights stay as they are.

    Returns:
        Function without arguments to a context manager, inside which the model
        has its averaged weights and the optimizer keeps the weights.
    """
    if not optimizer.use_ema:
        return contextlib.nullcontext

    def replica_swap():
        for weight, average in optimizer.averages:
            held = tf.convert_to_tensor(weight)
            weight.assign(tf.convert_to_tensor(average))
            average.assign(held)

    @tf.function(jit_compile=False)
    def swap():
        strategy.run(replica_swap)

    @contextlib.contextmanager
    def averaged():
        swap()
        try:
            yield
        finally:
            swap()

    return averaged
