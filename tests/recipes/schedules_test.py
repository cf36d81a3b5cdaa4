"""Learning rates as the papers describe them."""

import dataclasses

import pytest

from keras_resnet import recipes
from keras_resnet.recipes import schedules


def _schedule(**changes):
    recipe = dataclasses.replace(recipes.RECIPES["cifar10_resnet20"], **changes)
    return schedules.make(recipe)


@pytest.mark.parametrize(
    "step, rate",
    [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01),
     (48_000, 0.001), (63_999, 0.001)],
)  # fmt: skip
def test_steps_divide_by_ten_at_32k_and_48k(step, rate):
    assert _schedule().learning_rate(step) == pytest.approx(rate)


def test_constant_stays():
    assert _schedule(schedule="constant").learning_rate(63_999) == 0.1


def test_warm_up_ends_after_its_steps():
    schedule = _schedule(warmup_steps=400)
    assert schedule.learning_rate(399) == 0.01
    assert schedule.learning_rate(400) == 0.1


def test_warm_up_ends_when_the_training_error_is_low():
    schedule = _schedule(warmup_steps=400)
    schedule.after_training(0.81)
    assert schedule.learning_rate(100) == 0.01
    schedule.after_training(0.79)
    assert schedule.learning_rate(101) == 0.1
    schedule.after_training(0.95)
    assert schedule.learning_rate(102) == 0.1


def test_plateau_divides_when_the_error_stops_improving():
    schedule = _schedule(schedule="plateau", plateau_evaluations=2)
    rates = []
    for error in (0.5, 0.4, 0.4, 0.41, 0.39, 0.39, 0.39):
        schedule.after_evaluation(error)
        rates.append(round(schedule.learning_rate(1), 6))
    assert rates == [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]


def test_state_brings_a_schedule_back():
    schedule = _schedule(schedule="plateau", plateau_evaluations=2)
    for error in (0.5, 0.6, 0.6, 0.6):
        schedule.after_evaluation(error)
    copy = _schedule(schedule="plateau", plateau_evaluations=2)
    assert copy.learning_rate(1) != schedule.learning_rate(1)
    copy.restore(schedule.state())
    assert copy.state() == schedule.state()
    assert copy.learning_rate(1) == schedule.learning_rate(1)
