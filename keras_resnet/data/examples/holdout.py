"""Chooses examples to hold out for validation where nobody has chosen."""

import numpy as np

from keras_resnet.data.examples import class_labels
from keras_resnet.errors import require


def check(fraction):
    """Raises `keras_resnet.UsageError` unless it is between 0 and 1."""
    require(
        0 < fraction < 1,
        f"validation must be between 0 and 1. Received: {fraction}.",
    )


def choose(labels, fraction, seed, groups=None):
    """Holds out a part of each class, the same for the same seed.

    Args:
        labels: int (N,), classes, or 0/1 (N, K), any number of classes: an
            example then counts for its rarest one (`class_labels.strata`).
        fraction: float between 0 and 1, how much of each class, rounded. A
            class of two groups or more has at least one on each side; one of
            a single group is trained on.
        seed: int.
        groups: int (N,), equal for examples that must stay together, such as
            copies of one file. Default: each is alone. A group of examples of
            different classes counts for the class of its first example.

    Returns:
        bool (N,), True for validation.

    Raises:
        keras_resnet.UsageError: if the fraction is not between 0 and 1, or
            nothing would be held out.
    """
    check(fraction)
    labels = class_labels.strata(labels)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _, firsts, members = np.unique(
        groups, return_index=True, return_inverse=True
    )
    sizes, of_group = np.bincount(members), labels[firsts]
    held = np.zeros(len(firsts), bool)
    # In the order of the groups' first examples, whatever their numbers.
    ranks = np.argsort(firsts)
    generator = np.random.Generator(np.random.PCG64(seed))
    for label in np.unique(labels):
        own = ranks[of_group[ranks] == label]
        own = own[generator.permutation(len(own))]
        held[own[: _how_many(sizes[own], fraction)]] = True
    require(
        held.any(),
        "No class has two different images, so none can be held out for "
        "validation. Add images, or name a split of your own.",
    )
    return held[members]


def _how_many(sizes, fraction):
    """How many groups together hold about a fraction of all examples."""
    if len(sizes) < 2:
        return 0
    ends = np.cumsum(sizes)
    nearest = np.abs(ends - fraction * ends[-1]).argmin() + 1
    return min(nearest, len(sizes) - 1)
