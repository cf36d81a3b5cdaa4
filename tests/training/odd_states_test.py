"""Odd values in a state.json: a one-line error, and no run starts with them."""

import copy
import json

from digit_runs import RECIPE

from keras_resnet.errors import UsageError
from keras_resnet.recipes import schedules
from keras_resnet.training import state
from keras_resnet.training.checkpoints import checkpoint

ODD = (None, "x", [], {}, [[1]], {"a": None}, True, -1.5, float("nan"))


def _written():
    held = state.RunState(schedules.make(RECIPE), step=7, learning_rate=0.1)
    held.records.append({"step": 7})
    return json.loads(json.dumps({"step": 7, **held.to_json()}))


def _restored(content):
    held = state.RunState(schedules.make(RECIPE))
    with checkpoint.taking("checkpoints"):
        held.restore(content)
    return held


def _mutants():
    for name, value in _written().items():
        for odd in ODD:
            yield {**_written(), name: odd}
            for inner in value if isinstance(value, dict) else ():
                changed = copy.deepcopy(_written())
                changed[name][inner] = odd
                yield changed
        lacking = _written()
        del lacking[name]
        yield lacking


def test_what_was_written_comes_back():
    assert _restored(_written()).to_json() == {
        name: value for name, value in _written().items() if name != "step"
    }


def test_odd_values_are_one_line_or_values_that_a_run_can_have():
    refused = 0
    for content in _mutants():
        try:
            held = _restored(content)
        except UsageError as error:
            assert "\n" not in str(error) and "state.json" in str(error)
            refused += 1
        else:
            assert isinstance(held.step, int)
            assert held.take("report") and json.dumps(held.to_json())
    assert refused > 50
