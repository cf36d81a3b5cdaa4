"""Which functions TensorFlow rewrites before it traces them; what they raise.

AutoGraph turns Python's `if` and `for` on tensors into graph operations. Our
functions have none, and rewriting takes seconds whenever a program starts. A
user's functions, a source's `read` or an augmentation's changes, may have them.
"""

import tensorflow as tf

# What a graph that reads files raises. TensorFlow's message may quote bytes of
# a file, or a name, that are not UTF-8: then Python raises UnicodeDecodeError.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def as_written(function):
    """`function` and all that it calls, not rewritten, for `Dataset.map`."""
    return tf.autograph.experimental.do_not_convert(function)


def rewritten(function):
    """`function`, rewritten if it is not ours, also in an `as_written` one."""
    if getattr(function, "__module__", "").startswith("keras_resnet."):
        return function
    return tf.function(function)


def element_spec(split):
    """(spec of the image, spec of the label), as `splits.Split.read` gives."""
    read = as_written(split.read)
    return tf.data.Dataset.range(1).map(read).element_spec
