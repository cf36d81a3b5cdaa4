"""Figures of a classifier as sums over examples: top-1 and top-5 error.

A batch gives sums, not means: padding has weight 0, so every example counts
once for any batch size, number of devices and last batch. TensorFlow is
imported where it computes: a run on JAX has `Metrics` too.
"""

import dataclasses
import typing

import keras
import numpy as np

from keras_resnet.evaluation import multi_label

SUMS = ("loss", "top1", "top5", "examples")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics:
    """Means over the examples of a data set.

    Attributes:
        loss: cross-entropy, nats.
        top1_accuracy, top5_accuracy: fractions, 0..1.
        num_examples: how many there were.
    """

    loss: float
    top1_accuracy: float
    top5_accuracy: float
    num_examples: int

    # The figure that is highest in a run's best evaluation; the one that curves
    # show and training's sums give; words for both; the curves' axis.
    BEST: typing.ClassVar = "top1_accuracy"
    TRAINED: typing.ClassVar = "top1_accuracy"
    WORDS: typing.ClassVar = {"top1_accuracy": "accuracy"}
    ERROR: typing.ClassVar = "error (%)"

    @property
    def top1_error(self):
        """Fraction of examples whose likeliest class is wrong."""
        return 1 - self.top1_accuracy

    @property
    def top5_error(self):
        """Fraction of examples whose class is not among the five likeliest."""
        return 1 - self.top5_accuracy

    @classmethod
    def from_sums(cls, sums):
        """From the totals of the SUMS, in their order."""
        loss, top1, top5, examples = (float(total) for total in sums)
        count = max(examples, 1.0)
        return cls(
            loss=loss / count,
            top1_accuracy=top1 / count,
            top5_accuracy=top5 / count,
            num_examples=round(examples),
        )


# {whether an example has any number of labels: metrics}.
KINDS = {False: Metrics, True: multi_label.MultiLabelMetrics}


def figures(kind):
    """The names of what a kind of metrics has beside loss and examples."""
    names = [field.name for field in dataclasses.fields(kind)]
    return [name for name in names if name not in ("loss", "num_examples")]


def has_top5(num_classes):
    """Whether top-5 says anything: of five classes it is always right."""
    return num_classes > 5


def batch_sums(logits, label, weight):
    """The SUMS of one batch, each example weighted.

    Args:
        logits: float32 or float64 (B, K).
        label: int32 (B,); or (B, K), then the sums are those of
            `multi_label.batch_sums`.
        weight: float32 (B,), 0 for padding.

    Returns:
        float32 (4,), in the order of SUMS. With five classes or fewer
        top-5 is always right. Ties count against the prediction.
    """
    import tensorflow as tf

    if len(label.shape) == 2:
        return multi_label.batch_sums(logits, label, weight)
    losses = keras.losses.sparse_categorical_crossentropy(
        label, logits, from_logits=True
    )
    own = tf.gather(logits, label, axis=1, batch_dims=1)[:, tf.newaxis]
    # The rank of the true class; NaN never counts as right.
    better = tf.reduce_sum(
        tf.cast(tf.logical_not(logits < own), tf.float32), axis=1
    )
    hits = [tf.cast(better <= k, tf.float32) for k in (1, 5)]
    losses = tf.cast(losses, tf.float32)
    columns = tf.stack([losses, *hits, tf.ones_like(losses)])
    return tf.linalg.matvec(columns, tf.cast(weight, tf.float32))


def sum_over_replicas(
    strategy, replica_step, signature=None, *, jit_compile=False
):
    """A step that all devices of a strategy take together.

    Args:
        strategy: `tf.distribute.Strategy`.
        replica_step: a replica's part of a batch -> sums; or these and a
            tuple of tensors whose first dimension is the examples.
        signature: the batch's `tf.TypeSpec`, for batches whose shapes differ.
            Default: the step is traced for each shape.
        jit_compile: whether XLA compiles the step. It is slower than
            TensorFlow's kernels on a CPU and changes the bits.

    Returns:
        Function from a distributed batch to the global sums, and to the
        tensors of the global batch if there are any.
    """
    import tensorflow as tf

    @tf.function(
        autograph=False,
        jit_compile=jit_compile,
        input_signature=None if signature is None else [signature],
    )
    def step(batch):
        sums, rows = strategy.run(replica_step, args=(batch,)), None
        if isinstance(sums, tuple):
            sums, rows = sums
        sums = strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)
        if rows is None:
            return sums
        return sums, [strategy.gather(row, axis=0) for row in rows]

    return step


def total(step, dataset):
    """Sums, in float64, what a step of `sum_over_replicas` gives per batch.

    Returns:
        (float64 (..., 4), list): the sums, and the tensors of all examples if
        the step gives any, NumPy.
    """
    sums, parts = np.zeros(len(SUMS), np.float64), []
    for batch in dataset:
        found = step(batch)
        if isinstance(found, tuple):
            found, rows = found
            parts.append([np.asarray(row) for row in rows])
        sums = sums + np.asarray(found, np.float64)
    return sums, [np.concatenate(part) for part in zip(*parts, strict=True)]


def evaluate(step, dataset):
    """`Metrics` of all batches, which may be distributed; see `total`.

    `MultiLabelMetrics`, if the step gives the scores of all examples.
    """
    return of_total(*total(step, dataset))


def of_total(sums, rows):
    """`Metrics` of what `total` gives; `MultiLabelMetrics` if it has rows."""
    if not rows:
        return Metrics.from_sums(sums)
    return multi_label.measure(sums, *rows)
