"""Numbers from the bytes of a file, in a graph and without Python.

Operations on strings run on the CPU wherever the graph runs.
"""

import functools

import tensorflow as tf


def call(function):
    """A function of a string scalar, as a call in a graph.

    Inlined in the graph, its operations would cost time even in a branch that
    is not taken. Eagerly it is no call: Python code in tf.data must not wait
    for one, because it occupies the threads that the call would run on.
    """
    in_graph = tf.function(
        function,
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )

    @functools.wraps(function)
    def either(encoded):
        eager = tf.executing_eagerly()
        return function(encoded) if eager else in_graph(encoded)

    return either


def part(encoded, place, n):
    """Up to `n` bytes from a place on; none if that is past the end.

    TensorFlow's own error for such a place quotes the whole file, which Python
    cannot read as text.
    """
    place = tf.minimum(place, tf.strings.length(encoded))
    return tf.strings.substr(encoded, place, n)


def numbers(encoded, places, n, order="little"):
    """int32 of `n` bytes at each of the places.

    Args:
        encoded: string scalar.
        places: sequence of ints or int32 scalars.
        n: int, 1 to 4.
        order: "little" or "big".

    Raises:
        tf.errors.InvalidArgumentError: if one of them is past the end.
    """
    weights = [256**i for i in range(n)]
    weights = weights[::-1] if order == "big" else weights
    raw = [
        tf.io.decode_raw(part(encoded, place, n), tf.uint8) for place in places
    ]
    raw = tf.ensure_shape(tf.stack(raw), (len(places), n))
    # Sums of int32 wrap as two's complement does.
    weights = tf.cast(tf.constant(weights, tf.int64), tf.int32)
    return tf.reduce_sum(tf.cast(raw, tf.int32) * weights, axis=1)


def pairs(encoded, first, second):
    """bool (n - 1,): at which of n bytes `first` and then `second` stand."""
    raw = tf.io.decode_raw(encoded, tf.uint8)
    return (raw[:-1] == first) & (raw[1:] == second)


def number(encoded, place, n, order="little"):
    """int32 scalar of `n` bytes at a place."""
    return numbers(encoded, (place,), n, order)[0]
