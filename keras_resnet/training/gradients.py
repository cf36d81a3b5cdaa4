"""Gradients of a batch, whole or in micro-batches, ready to be applied."""

import tensorflow as tf

from keras_resnet.evaluation import metrics
from keras_resnet.networks import stochastic_depth
from keras_resnet.training import losses


def make_gradients(network, optimizer, loss=None):
    """The gradients of a part of a global batch, and its metrics.

    Args:
        network: `keras.Model` from images to logits.
        optimizer: its `scale_loss` multiplies the loss.
        loss: (logits, batch) -> (B,). Default: cross-entropy.

    Returns:
        Function from a batch and the number of examples of the global batch,
        float32 (), to the gradients of the trainable variables and float32
        (4,), the sums of `metrics.SUMS`: their loss is the cross-entropy.
    """
    loss = loss or losses.cross_entropy()
    variables = network.trainable_variables

    def gradients(batch, count):
        label, weight = batch["label"], batch["weight"]
        with tf.GradientTape() as tape, stochastic_depth.seeded(batch):
            logits = network(batch["image"], training=True)
            total = tf.reduce_sum(loss(logits, batch) * weight)
            # Not a mean over replicas: one whose examples are all masked must
            # not count.
            mean = optimizer.scale_loss(total / tf.maximum(count, 1.0))
        sums = metrics.batch_sums(logits, label, weight)
        return tape.gradient(mean, variables), sums

    return gradients


def accumulate(function, batch, parts, zeros):
    """The sum of `function` over the parts of a batch.

    The parts are computed one after another by one loop in the graph, so that
    the graph and the memory for activations are those of one part.

    Args:
        function: batch -> nested structure of tensors.
        batch: dict of tensors with the same first dimension, which `parts`
            divides.
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
