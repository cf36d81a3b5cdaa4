"""Which functions TensorFlow rewrites before it traces them; what they raise.

AutoGraph makes graph operations of Python's `if` and `for` on tensors. There
are none in ours, and rewriting takes seconds whenever a program starts. What a
user brings, a source's `read` or an augmentation's changes, may have them.
"""

import tensorflow as tf

# Of a graph that reads files. TensorFlow's message may quote bytes of a file,
# or a name, that are not UTF-8: Python raises the other error then.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def as_written(function):
    """`function` of ours, for `tf.data.Dataset.map`, and all that it calls."""
    return tf.autograph.experimental.do_not_convert(function)


def rewritten(function):
    """`function`, rewritten if it is not ours, in an `as_written` one too."""
    if getattr(function, "__module__", "").startswith("keras_resnet."):
        return function
    return tf.function(function)


def element_spec(split):
    """(spec of the image, spec of the label), as `splits.Split.read` gives."""
    read = as_written(split.read)
    return tf.data.Dataset.range(1).map(read).element_spec
