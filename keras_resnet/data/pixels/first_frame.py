"""The first frame of a GIF as a GIF of its own, in a graph.

TensorFlow's decoder decodes every frame before it looks at their sizes, and
makes transparent pixels black. This leaves nothing but the frame.
"""

import tensorflow as tf

from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import graph_bytes
from keras_resnet.data.pixels import limits


def alone(encoded):
    """A GIF of the first frame, without transparency.

    Args:
        encoded: string scalar, a GIF.

    Returns:
        string scalar.

    Raises:
        tf.errors.InvalidArgumentError: if the frame is not whole, or not as
            large as the screen.
    """
    screen = 13 + _table(graph_bytes.number(encoded, 10, 1))
    left = tf.constant(limits.MAX_BLOCKS)
    frame, left = _after_extensions(encoded, screen, left)
    is_frame = graph_bytes.number(encoded, frame, 1) == 0x2C
    frame = splits.checked(frame, is_frame, "A GIF without a first frame")
    fills = tf.reduce_all(
        graph_bytes.numbers(encoded, [frame + at for at in (1, 3, 5, 7)], 2)
        == tf.concat([[0, 0], graph_bytes.numbers(encoded, (6, 8), 2)], axis=0)
    )
    frame = splits.checked(
        frame, fills, "A GIF whose first frame is not its screen is not read"
    )
    local = _table(graph_bytes.number(encoded, frame + 9, 1))
    end, left = _after_blocks(encoded, frame + 11 + local, left)
    end = splits.checked(end, left > 0, "A GIF of too many blocks")
    return tf.strings.join(
        [
            tf.strings.substr(encoded, 0, screen),
            tf.strings.substr(encoded, frame, end - frame),
            b";",
        ]
    )


def _table(flags):
    """Bytes of a colour table."""
    size = tf.bitwise.left_shift(6, tf.bitwise.bitwise_and(flags, 7))
    return tf.where(flags >= 0x80, size, 0)


def _after_extensions(encoded, at, left):
    return tf.while_loop(
        lambda at, left: (
            (left > 0) & (graph_bytes.number(encoded, at, 1) == 0x21)
        ),
        lambda at, left: _after_blocks(encoded, at + 2, left),
        (at, left),
    )


def _after_blocks(encoded, at, left):
    """Where a run of blocks has ended, and how many more may come."""
    at, left = tf.while_loop(
        lambda at, left: (left > 0) & (graph_bytes.number(encoded, at, 1) > 0),
        lambda at, left: (
            at + 1 + graph_bytes.number(encoded, at, 1),
            left - 1,
        ),
        (at, left),
    )
    return at + 1, left
