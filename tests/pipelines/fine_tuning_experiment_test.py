"""The experiment on few examples: what its data are."""

import numpy as np
import programs
import pytest

fine_tuning = programs.module("reproduction.fine_tuning")

LABELS = np.tile(np.arange(10), 30)


@pytest.mark.parametrize("number, expected", [(20, 20), (None, 30)])
def test_so_many_of_each_class_of_the_task_and_no_other(number, expected):
    chosen = fine_tuning.choose(
        LABELS, fine_tuning.TASK, number, np.random.default_rng(0)
    )
    counts = np.bincount(LABELS[chosen], minlength=10)
    assert counts[list(fine_tuning.TASK)].tolist() == [expected] * 4
    assert counts.sum() == 4 * expected
    assert not set(fine_tuning.TASK) & set(fine_tuning.SOURCE)


def test_another_seed_chooses_other_examples():
    first, again, other = (
        fine_tuning.choose(LABELS, (2, 4), 5, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert (first == again).all() and (first != other).any()


def test_a_photograph_is_behind_each_image_where_it_is_black():
    images = np.zeros((3, 28, 28, 3), np.uint8)
    images[:, :14] = 255
    black = fine_tuning.before_photographs(
        np.zeros_like(images), np.random.default_rng(0)
    )
    half = fine_tuning.before_photographs(images, np.random.default_rng(0))
    np.testing.assert_array_equal(half[:, 14:], black[:, 14:])
    np.testing.assert_array_equal(half[:, :14], 255 - black[:, :14])
    assert (black[0] != black[1]).any()


def test_rows_differ_in_nothing_but_where_they_start_and_what_trains():
    experiment = fine_tuning.FINE_TUNING
    fields = [set(row.overrides) for row in experiment.rows.values()]
    assert fields[0] == {"learning_rate"}
    assert fields[3] <= fields[2] == fields[3] | {"freeze_until"}
    assert "steps" not in fields[2]
