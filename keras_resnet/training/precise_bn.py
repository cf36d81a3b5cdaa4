"""BN's statistics as means over many training batches.

B batches. A moving average covers only the last few, from when the weights were
still changing.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.errors import require
from keras_resnet.networks import stochastic_depth
from keras_resnet.training import gradients
from keras_resnet.weights import transfer


def recalibrate(model, batches, *, strategy=None, parts=1):
    """Replaces moving statistics by those of many batches taken as one.

        mean     = E[mean_b]
        variance = E[variance_b + mean_b^2] - mean^2

    over the B batches of all replicas; each batch is normalised by its own
    statistics, as in training. The second line also counts the spread of the
    means between batches, so that both are the statistics of all images
    together: the authors' were "strictly computed using average (not moving
    average) on a sufficiently large training batch after the training
    procedure".

    References: README of KaimingHe/deep-residual-networks; Wu and Johnson
    2021, arXiv 2105.07576, sec. 3 (PreciseBN, the same formula); Ioffe and
    Szegedy 2015, Alg. 2, has E[variance_b], without the spread.

    Args:
        model: from `keras_resnet.build`; its trainable batch normalisations
            change, the weights do not.
        batches: iterable of batches of one size: images (B, H, W, C), tuples
            that begin with them, or dicts that hold them as "image". `strategy`
            may distribute them.
        strategy: `tf.distribute.Strategy` in whose scope the model was built.
            Default: the current one.
        parts: int >= 1, micro-batches into which each replica divides its part
            of a batch; as many as in training.

    Returns:
        int, B.

    Raises:
        keras_resnet.UsageError: if there are no batches.

    Example:

    >>> recalibrate(model, training_images.take(200))
    """
    strategy = strategy or tf.distribute.get_strategy()
    layers = [layer for layer in transfer.batch_norms(model) if layer.trainable]
    batch_moments = _make_batch_moments(strategy, model, layers, parts)
    sums, count = 0.0, 0
    for batch in batches if layers else ():
        moments = batch_moments(_images(batch))
        sums = sums + np.concatenate([m.numpy() for m in moments], axis=1)
        count += parts * strategy.num_replicas_in_sync
    require(
        count or not layers,
        "recalibrate() needs at least one batch. Received: none.",
    )
    _assign(layers, sums / max(count, 1))
    return count


def _images(batch):
    if isinstance(batch, dict):
        return batch["image"]
    return batch[0] if isinstance(batch, tuple) else batch


def _make_batch_moments(strategy, model, layers, parts):
    """A function from images to sums over all parts of E[x] and E[x^2].

    A batch's statistics follow from what a layer adds to its moving ones, here
    to zeros. That holds for any `keras.layers.BatchNormalization`, however it
    computes.
    """

    def zeros():
        shapes = [(2, *layer.moving_mean.shape) for layer in layers]
        return [tf.zeros(shape, tf.float64) for shape in shapes]

    def part_moments(batch):
        for layer in layers:
            for variable in (layer.moving_mean, layer.moving_variance):
                variable.assign(tf.zeros(variable.shape, variable.dtype))
        with stochastic_depth.off():  # as the network will be used
            model(batch["image"], training=True)
        return [_moments(layer) for layer in layers]

    def replica_moments(images):
        return gradients.accumulate(
            part_moments,
            {"image": tf.convert_to_tensor(images)},
            parts,
            zeros,
        )

    @tf.function(autograph=False, jit_compile=False)
    def batch_moments(images):
        moments = strategy.run(replica_moments, args=(images,))
        return [
            strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for value in moments
        ]

    return batch_moments


def _moments(layer):
    """float64 (2, C): the means and the mean squares of the last batch."""
    mean, variance = (
        tf.cast(tf.convert_to_tensor(moving), tf.float64)
        / (1.0 - layer.momentum)
        for moving in (layer.moving_mean, layer.moving_variance)
    )
    return tf.stack([mean, variance + mean**2])


def _assign(layers, moments):
    start = 0
    for layer in layers:
        stop = start + layer.moving_mean.shape[0]
        mean, square = moments[:, start:stop]
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.maximum(square - mean**2, 0.0))
        start = stop
