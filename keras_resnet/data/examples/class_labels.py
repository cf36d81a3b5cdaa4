"""Labels as arrays: one class an example, or any number of classes.

N examples of K classes. One class each: integers (N,). Any number: uint8
(N, K), 1 for each class that an example has. No TensorFlow.
"""

import numpy as np


def counts(labels, num_classes):
    """How many examples each class has: int64 (K,).

    Args:
        labels: int (N,) or 0/1 (N, K).
        num_classes: int, K.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return labels.sum(axis=0, dtype=np.int64)
    return np.bincount(labels, minlength=num_classes)


def strata(labels):
    """One class for each example, by which to stratify a division.

    Args:
        labels: int (N,) or 0/1 (N, K).

    Returns:
        int (N,). An example of several classes gets the one that the fewest
        examples have, which a random part would miss first; an example of
        none gets K.
    """
    labels = np.asarray(labels)
    if labels.ndim == 1:
        return labels
    number, num_classes = labels.shape
    rare = np.where(labels, counts(labels, num_classes), number + 1)
    return np.where(labels.any(axis=1), rare.argmin(axis=1), num_classes)


def plain(label):
    """A label from `read` as a Python value: an int, or a tuple of classes.

    Args:
        label: integer scalar array, or 0/1 (K,).
    """
    label = np.asarray(label)
    if label.ndim == 0:
        return int(label)
    return tuple(np.flatnonzero(label).tolist())


def classes_of(label):
    """The classes of a `plain` label: a tuple of ints."""
    return (label,) if isinstance(label, int) else tuple(label or ())


def text(label, class_names):
    """The names of a `plain` label's classes: "cat", "cat|dog", "no class"."""
    names = [class_names[index] for index in classes_of(label)]
    return "|".join(names) or "no class"
