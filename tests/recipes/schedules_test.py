"""Learning rates as the papers describe them."""

import dataclasses

import peers
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


def _rates(count, **changes):
    schedule = _schedule(steps=count, **changes)
    return [schedule.learning_rate(step) for step in range(count)]


def _torchs(count, rate, schedule_of):
    """The rates of a schedule of PyTorch."""
    torch = peers.torch_module()
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=rate)
    schedule, rates = schedule_of(torch.optim.lr_scheduler, optimizer), []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_a_linear_warm_up_and_a_cosine_are_pytorchs():
    """As in torchvision's second recipe, but changing at every step."""

    def theirs(torch, optimizer):
        warmup = torch.LinearLR(optimizer, 0.01, total_iters=5)
        cosine = torch.CosineAnnealingLR(optimizer, T_max=25, eta_min=0.002)
        return torch.SequentialLR(optimizer, [warmup, cosine], milestones=[5])

    fields = {
        "schedule": "cosine",
        "learning_rate": 0.5,
        "final_learning_rate": 0.002,
        "warmup_steps": 5,
        "warmup_learning_rate": 0.005,
    }
    ours = _rates(30, **fields, warmup="linear")
    assert ours == pytest.approx(_torchs(30, 0.5, theirs))
    constant = _rates(30, **fields)
    assert constant[:5] == [0.005] * 5 and constant[5:] == ours[5:]


def test_one_cycle_is_pytorchs_but_for_the_momentum():
    def theirs(torch, optimizer):
        return torch.OneCycleLR(
            optimizer, 0.4, total_steps=count, cycle_momentum=False
        )

    count, last = 40, 0.4 / 25e4
    fields = {"learning_rate": 0.4, "final_learning_rate": last}
    ours = _rates(count, schedule="one_cycle", **fields)
    # PyTorch asks for the rate after the last step too.
    theirs = _torchs(count - 1, 0.4, theirs)
    assert ours[:-1] == pytest.approx(theirs)
    assert ours[-1] == pytest.approx(last)


def test_a_linear_warm_up_does_not_hear_of_the_error():
    schedule = _schedule(warmup_steps=400, warmup="linear")
    schedule.after_training(0.1)
    assert schedule.learning_rate(200) == pytest.approx(0.055)


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_rates_too(name, steps):
    for rate in _rates(steps, schedule=name):
        assert 0 <= rate <= 0.1
