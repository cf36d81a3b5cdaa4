"""Held-out examples are a part of each class, and no copies of the others."""

import numpy as np
import pytest

from keras_resnet.data.examples import holdout
from keras_resnet.errors import UsageError

# 100 examples of class 0, 31 of class 1, 2 of class 2, 1 of class 3.
LABELS = np.repeat([0, 1, 2, 3], [100, 31, 2, 1])


def _counts(held):
    return np.bincount(LABELS, weights=held, minlength=4).tolist()


@pytest.mark.parametrize(
    "fraction, counts",
    [(0.2, [20, 6, 1, 0]), (0.01, [1, 1, 1, 0]), (0.99, [99, 30, 1, 0])],
)
def test_each_class_gives_its_part_and_keeps_one(fraction, counts):
    for seed in range(5):
        assert _counts(holdout.choose(LABELS, fraction, seed)) == counts


def test_a_seed_decides_and_order_of_labels_does_not_cluster():
    first = holdout.choose(LABELS, 0.2, 0)
    assert (first == holdout.choose(LABELS, 0.2, 0)).all()
    others = [holdout.choose(LABELS, 0.2, seed) for seed in range(1, 20)]
    assert all((other != first).any() for other in others)
    # Different seeds hold out different examples of a large class.
    assert np.mean([*others, first], axis=0)[:100].max() < 0.7


def test_copies_stay_together_where_single_ones_would_part():
    """Pairs of copies: without groups many pairs are separated."""
    groups = np.arange(134) // 2
    parted = holdout.choose(LABELS, 0.3, 1).reshape(-1, 2)
    assert (parted[:, 0] != parted[:, 1]).sum() > 10
    held = holdout.choose(LABELS, 0.3, 1, groups)
    assert (held.reshape(-1, 2)[:, 0] == held.reshape(-1, 2)[:, 1]).all()
    assert _counts(held)[:2] == [30, 10] or _counts(held)[:2] == [30, 9]


def test_a_group_over_two_classes_is_on_one_side():
    groups = np.arange(134)
    groups[[0, 100, 131]] = 0
    for seed in range(30):
        held = holdout.choose(LABELS, 0.5, seed, groups)
        assert len(set(held[[0, 100, 131]])) == 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(UsageError, match="validation must be between 0 and 1"):
        holdout.choose(LABELS, fraction, 0)


def test_where_nothing_can_be_held_out_it_says_so():
    with pytest.raises(UsageError, match="No class has two different images"):
        holdout.choose([0, 1, 2], 0.5, 0)
    with pytest.raises(UsageError, match="No class has two different images"):
        holdout.choose([0, 0, 1], 0.5, 0, groups=[5, 5, 6])


def test_of_several_classes_the_rarest_divides():
    """100 examples have class 0, 10 of these also class 1, and 20 have none."""
    labels = np.zeros((120, 2), np.uint8)
    labels[:100, 0] = labels[::10, 1] = 1
    labels[100:] = 0
    for seed in range(5):
        held = holdout.choose(labels, 0.2, seed)
        assert labels[held].sum(axis=0).tolist() == [20, 2]
        assert held[100:].sum() == 4
    # Negative control: the first class alone does not divide the second evenly.
    plain = [holdout.choose(labels[:, 0], 0.2, seed) for seed in range(5)]
    assert {int(labels[held, 1].sum()) for held in plain} != {2}
