"""Tensors in the host's memory."""

import tensorflow as tf


def on_host(values, dtype=None):
    """A tensor in the host's memory, which graphs refer to and do not copy.

    TensorFlow copies captured tensors of up to 128 elements into each graph, so
    a tensor of many bytes must have more elements than that.
    """
    with tf.device("CPU:0"):
        return tf.constant(values, dtype)


def gather(values, indices):
    """Some rows of such a tensor, in the host's memory too."""
    with tf.device("CPU:0"):
        return tf.gather(values, indices)
