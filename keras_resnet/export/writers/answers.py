"""What a served network answers: probabilities and the most probable classes.

Shapes: B batch, K classes, k of them named.
"""

import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.inference.artifact import PROBABILITIES

TOP = 5

TOP_INDICES = "top_indices"
TOP_PROBABILITIES = "top_probabilities"
TOP_NAMES = "top_names"


def check_top(top):
    """Raises `UsageError` unless `top` classes can be named."""
    require(
        isinstance(top, int) and top >= 1,
        f"top must be an int >= 1. Received: top={top!r}.",
    )


def answer(probabilities, class_names, top):
    """Probabilities, with the most probable classes first among the rest.

    Of equal probabilities the first class comes first, as `labels.top_classes`
    has it.

    Args:
        probabilities: float32 (B, K) tensor.
        class_names: K names.
        top: int >= 1; k is at most K.

    Returns:
        dict: float32 (B, K) `probabilities`, int32 (B, k) `top_indices`,
        float32 (B, k) `top_probabilities`, string (B, k) `top_names`.
    """
    largest, indices = tf.math.top_k(probabilities, min(top, len(class_names)))
    return {
        PROBABILITIES: probabilities,
        TOP_INDICES: indices,
        TOP_PROBABILITIES: largest,
        TOP_NAMES: tf.gather(tf.constant(class_names), indices),
    }


def describe_answers(classes, top):
    """The same as the manifest's {name: {"dtype", "shape"}}; B is None."""
    named = [None, min(top, classes)]
    return {
        PROBABILITIES: {"dtype": "float32", "shape": [None, classes]},
        TOP_INDICES: {"dtype": "int32", "shape": named},
        TOP_PROBABILITIES: {"dtype": "float32", "shape": named},
        TOP_NAMES: {"dtype": "string", "shape": named},
    }
