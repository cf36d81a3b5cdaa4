"""Random numbers as a function of a seed, in a tf.data graph.

The generator is SplitMix64 (Steele, Lea, Flood 2014, OOPSLA): its bits are the
same in every version of TensorFlow, on every device, eager and in a graph.
"""

import tensorflow as tf


def _unsigned(number):
    return tf.constant(number, tf.uint64)


def _splitmix64(x):
    shift, xor = tf.bitwise.right_shift, tf.bitwise.bitwise_xor
    x = x + _unsigned(0x9E3779B97F4A7C15)
    x = xor(x, shift(x, _unsigned(30))) * _unsigned(0xBF58476D1CE4E5B9)
    x = xor(x, shift(x, _unsigned(27))) * _unsigned(0x94D049BB133111EB)
    return xor(x, shift(x, _unsigned(31)))


def uniform(seed, n):
    """Uniform numbers between 0 and 1, both excluded.

    Args:
        seed: int64 (...,).
        n: int, how many for each seed.

    Returns:
        float32 (..., n); odd multiples of 2 ** -24.
    """
    key = _splitmix64(tf.bitcast(seed, tf.uint64))
    counter = tf.range(n, dtype=tf.int64)
    bits = _splitmix64(key[..., tf.newaxis] + tf.bitcast(counter, tf.uint64))
    bits = tf.cast(tf.bitwise.right_shift(bits, _unsigned(41)), tf.float32)
    return (bits + 0.5) * 2.0**-23


def integer(uniform, n):
    """An int32 in [0, n) from a uniform number; n < 2 ** 23."""
    return tf.cast(uniform * tf.cast(n, tf.float32), tf.int32)


def normal(uniform):
    """Standard normal numbers from uniform ones, by the inverse of the CDF."""
    return tf.math.ndtri(uniform)
