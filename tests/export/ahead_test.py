"""A file is run while the next one is written."""

import threading

import pytest

from keras_resnet.errors import UsageError
from keras_resnet.export.verification import isolated

INPUTS, OTHERS = object(), object()


def _predict(seen, ready):
    def predict(path, inputs, *, runtime=isolated.OWN):
        assert inputs in (INPUTS, OTHERS) and ready.wait(timeout=60)
        seen.append((path, runtime))
        if path == "damaged":
            raise UsageError("it cannot be read")
        return path.upper()

    return predict


def test_what_was_begun_is_not_run_again_and_tells_what_is_wrong(monkeypatch):
    seen, written = [], threading.Event()
    predict = _predict(seen, written)
    monkeypatch.setattr(isolated, "_BESIDE", (predict,))
    with isolated.Ahead(predict, INPUTS) as ahead:
        for path in ("a", "damaged", "b"):
            ahead.begin(path)  # returns although none can end
        written.set()
        assert [ahead("a", INPUTS), ahead("b", INPUTS)] == ["A", "B"]
        with pytest.raises(UsageError, match="cannot be read"):
            ahead("damaged", INPUTS)
        own = [(path, isolated.OWN) for path in ("a", "b", "damaged")]
        assert sorted(seen) == own
        # Other images, another runtime, an unknown file: run when asked for.
        assert ahead("a", OTHERS) == "A"
        assert ahead("a", INPUTS, runtime="openvino") == "A"
        assert ahead("c", INPUTS) == "C"
    assert seen[3:] == [
        ("a", isolated.OWN),
        ("a", "openvino"),
        ("c", isolated.OWN),
    ]


def test_what_runs_in_this_process_waits_until_it_is_asked():
    seen, ready = [], threading.Event()
    ready.set()
    with isolated.Ahead(_predict(seen, ready), INPUTS) as ahead:
        ahead.begin("a")
    assert not seen
    assert ahead("a", INPUTS) == "A"


def test_an_export_that_fails_runs_nothing_more(monkeypatch):
    seen, goes_on = [], threading.Event()
    predict = _predict(seen, goes_on)
    monkeypatch.setattr(isolated, "_BESIDE", (predict,))
    with pytest.raises(OSError, match="full"):  # noqa: SIM117
        with isolated.Ahead(predict, INPUTS) as ahead:
            for path in "abcd":
                ahead.begin(path)
            threading.Timer(0.2, goes_on.set).start()
            raise OSError("the disk is full")
    assert sorted(seen) == [("a", isolated.OWN), ("b", isolated.OWN)]
