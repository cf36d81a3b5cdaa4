"""What training minimises, on any Keras backend."""

import keras


def cross_entropy(label_smoothing=0.0):
    """Cross-entropy against labels, of which a part goes to all classes.

    The target is 1 - label_smoothing for the true class, and on top of that
    label_smoothing / K for each of the K classes.

    References: Szegedy et al. 2016, arXiv 1512.00567, sec. 7.

    Args:
        label_smoothing: float, 0 to 1.

    Returns:
        Function from logits, float (B, K), and a batch with "label", int32
        (B,), to float (B,), nats.
    """

    def sharp(logits, batch):
        return keras.losses.sparse_categorical_crossentropy(
            batch["label"], logits, from_logits=True
        )

    def smooth(logits, batch):
        classes = logits.shape[-1]
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(batch["label"], classes, dtype=logits.dtype),
            logits,
            from_logits=True,
            label_smoothing=label_smoothing,
        )

    return smooth if label_smoothing else sharp
