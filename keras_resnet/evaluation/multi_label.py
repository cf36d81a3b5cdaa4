"""Figures of a classifier whose labels do not exclude each other.

Each label is answered with yes or no: yes if its probability is above 0.5, that
is, its logit above 0. Shapes: N examples, B of a batch, K labels.
"""

import dataclasses
import typing

import keras
import numpy as np
from keras import ops


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiLabelMetrics:
    """Means over the examples of a data set that have any number of labels.

    The means over labels leave out those that no example has. They are None if
    only sums over examples are known, as in training.

    Attributes:
        loss: binary cross-entropy, its mean over labels, nats.
        mean_average_precision: mean over labels of `average_precision`, 0..1.
        micro_f1: F1 of the answers to all labels together, 0..1.
        macro_f1: mean over labels of their F1, 0..1.
        num_examples: how many there were.
    """

    loss: float
    mean_average_precision: float | None = None
    micro_f1: float
    macro_f1: float | None = None
    num_examples: int

    # As `metrics.Metrics` has them.
    BEST: typing.ClassVar = "mean_average_precision"
    TRAINED: typing.ClassVar = "micro_f1"
    WORDS: typing.ClassVar = {
        "mean_average_precision": "mAP",
        "micro_f1": "micro F1",
    }
    ERROR: typing.ClassVar = "1 - micro F1 (%)"

    @classmethod
    def from_sums(cls, sums):
        """From the totals of `batch_sums`."""
        loss, hits, claims, examples = (float(total) for total in sums)
        count = max(examples, 1.0)
        return cls(
            loss=loss / count,
            micro_f1=2 * hits / max(claims, 1.0),
            num_examples=round(examples),
        )

    def __str__(self):
        return (
            f"mAP {self.mean_average_precision:.2%}, micro F1 "
            f"{self.micro_f1:.2%}, macro F1 {self.macro_f1:.2%}, "
            f"loss {self.loss:.4f}"
        )


def batch_sums(logits, label, weight):
    """What `MultiLabelMetrics.from_sums` takes of a batch, on any backend.

    Args:
        logits: float (B, K).
        label: (B, K) of 0 and 1.
        weight: float (B,), 0 for padding.

    Returns:
        float32 (4,): the loss; labels that are rightly answered with yes;
        labels that are there plus those that are answered with yes; examples.
    """
    there = ops.cast(label, logits.dtype)
    losses = keras.losses.binary_crossentropy(there, logits, from_logits=True)
    yes = ops.cast(logits > 0, logits.dtype)
    hits, claims = ops.sum(there * yes, -1), ops.sum(there + yes, -1)
    columns = ops.stack([losses, hits, claims, ops.ones_like(losses)])
    weight = ops.cast(weight, "float32")
    return ops.sum(ops.cast(columns, "float32") * weight, axis=1)


def average_precision(scores, labels, weights=None):
    """The mean precision at each recall of a label, 0..1.

    The sum over thresholds t of (recall_t - recall_(t-1)) * precision_t, as in
    scikit-learn; equal scores pass a threshold together.

    Args:
        scores: float (N,).
        labels: (N,) of 0 and 1.
        weights: float (N,). Default: 1.

    Returns:
        float; 0 if no example has the label.
    """
    scores = np.asarray(scores, np.float64)
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    scores, weights = scores[order], np.asarray(weights, np.float64)[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    found = np.cumsum(weights * np.asarray(labels)[order])[last]
    if not found[-1] > 0:
        return 0.0
    taken = np.maximum(np.cumsum(weights)[last], np.finfo(float).tiny)
    return float((np.diff(found, prepend=0) * found / taken).sum() / found[-1])


def measure(sums, logits, labels, weights):
    """`MultiLabelMetrics` of all examples at once.

    An average precision needs all scores of a label.

    Args:
        sums: of `batch_sums`, over all examples.
        logits: float (N, K).
        labels: (N, K) of 0 and 1.
        weights: float (N,), 0 for what does not count.
    """
    counts = count(logits, labels, weights)
    known = counts[:, [0, 2]].sum(axis=1) > 0
    precisions = average_precisions(logits, labels, weights)
    return dataclasses.replace(
        MultiLabelMetrics.from_sums(sums),
        mean_average_precision=_mean(precisions[known]),
        macro_f1=_mean(f1(counts)[known]),
    )


# What `count` counts, in its order.
COUNTS = (
    "true_positives",
    "false_positives",
    "false_negatives",
    "true_negatives",
)


def count(logits, labels, weights):
    """float64 (K, 4): the COUNTS of each label; args as for `measure`."""
    yes, there = logits > 0, labels > 0
    cases = (yes & there, yes & ~there, ~yes & there, ~yes & ~there)
    weights = np.asarray(weights, np.float64)
    return np.stack([weights @ case for case in cases], axis=1)


def f1(counts):
    """float64 (K,): the harmonic means of precision and recall of `count`."""
    hits, invented, missed, _ = counts.T
    return 2 * hits / np.maximum(2 * hits + invented + missed, 1)


def average_precisions(logits, labels, weights):
    """float64 (K,): the `average_precision` of each label."""
    columns = zip(logits.T, labels.T, strict=True)
    return np.array([average_precision(*c, weights) for c in columns])


def _mean(values):
    return float(values.mean()) if values.size else 0.0
