"""Gradients of a batch, whole or in micro-batches, ready to be applied."""

import keras
import tensorflow as tf

from keras_resnet.evaluation import metrics


def example_losses(logits, label, label_smoothing=0.0):
    """Cross-entropy against labels of which a part is spread over all classes.

    The target is 1 - label_smoothing for the true class, and on top of that
    label_smoothing / K for each of the K classes.

    References: Szegedy et al. 2016, arXiv 1512.00567, sec. 7.

    Args:
        logits: float (B, K).
        label: int32 (B,).
        label_smoothing: float, 0 to 1.

    Returns:
        float (B,), nats.
    """
    if not label_smoothing:
        return keras.losses.sparse_categorical_crossentropy(
            label, logits, from_logits=True
        )
    return keras.losses.categorical_crossentropy(
        tf.one_hot(label, logits.shape[-1], dtype=logits.dtype),
        logits,
        from_logits=True,
        label_smoothing=label_smoothing,
    )


def make_gradients(network, optimizer, label_smoothing=0.0):
    """The gradients of a part of a global batch, and its metrics.

    Args:
        network: `keras.Model` from images to logits.
        optimizer: its `scale_loss` multiplies the loss.
        label_smoothing: see `example_losses`.

    Returns:
        Function from a batch and the number of examples of the global batch,
        float32 (), to the gradients of the trainable variables and float32
        (4,), the sums of `metrics.SUMS`: their loss is not smoothed.
    """
    variables = network.trainable_variables

    def gradients(batch, count):
        label, weight = batch["label"], batch["weight"]
        with tf.GradientTape() as tape:
            logits = network(batch["image"], training=True)
            losses = example_losses(logits, label, label_smoothing)
            # Not a mean of replicas: one whose examples are all masked
            # counts for nothing.
            loss = tf.reduce_sum(losses * weight) / tf.maximum(count, 1.0)
            loss = optimizer.scale_loss(loss)
        sums = metrics.batch_sums(logits, label, weight)
        return tape.gradient(loss, variables), sums

    return gradients


def accumulate(function, batch, parts, zeros):
    """The sum of what `function` gives for each part of a batch.

    The parts are computed one after another by one loop in the graph, so that
    the graph and the memory for activations are those of one part.

    Args:
        function: batch -> nested structure of tensors.
        batch: dict of tensors with one first dimension, which `parts` divides.
        parts: int >= 1.
        zeros: function without arguments to the same structure, of zeros.

    Returns:
        The same structure.
    """
    if parts == 1:
        return function(batch)
    stacked = {
        key: tf.reshape(value, (parts, -1, *value.shape[1:]))
        for key, value in batch.items()
    }

    def add(total, part):
        return tf.nest.map_structure(tf.add, total, function(part))

    return tf.foldl(add, stacked, zeros(), parallel_iterations=1)
