"""A terminal shows what is done; a pipe and a log show nothing of it."""

import contextlib
import logging
import os
import re
import select
import threading
import time

import absl.logging
import pytest

from keras_resnet import progress


@pytest.mark.parametrize(
    "last, now, left",
    [
        ((1, 10.0), 10.0, None),  # one step alone has no pace
        ((5, 18.0), 18.0, 10.0),  # 4 steps of 2 s, 5 to go
        ((5, 18.0), 21.0, 7.0),  # it runs down between two steps
        ((5, 18.0), 40.0, 0.0),
        ((10, 28.0), 28.0, 0.0),
    ],
)
def test_the_time_left_follows_the_pace_since_the_first_step(last, now, left):
    assert progress.seconds_left((1, 10.0), last, 10, now) == left


def _all_of(reader):
    """All output that waits in a terminal, which gives 4 KB at a time."""
    found = b""
    while select.select([reader], [], [], 0)[0]:
        found += os.read(reader, 1 << 16)
    return found.decode()


@contextlib.contextmanager
def _terminal(monkeypatch):
    """A pseudo-terminal; yields a function that returns what it was sent."""
    reader, writer = os.openpty()
    stream = os.fdopen(writer, "w", buffering=1)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("sys.stdout", stream)
    handler = absl.logging.get_absl_handler().python_handler
    before = handler.stream
    handler.setStream(stream)
    yield lambda: _all_of(reader)
    handler.setStream(before)
    stream.close()
    os.close(reader)


def _threads():
    return {t for t in threading.enumerate() if t.daemon}


def _use_bar():
    """A bar with steps, a long wait, a warning and a line."""
    bar = progress.Bar(10, 4)
    bar.advance(5)
    time.sleep(0.1)
    bar.advance(7)
    bar.tell("evaluating", ["loss 0.5", "9 images/s"])
    time.sleep(0.5)
    warning = {"levelno": logging.WARNING, "msg": "a warning"}
    absl.logging.get_absl_handler().handle(logging.makeLogRecord(warning))
    bar.write("a line")
    bar.close()


def test_a_bar_is_drawn_while_nothing_happens_and_leaves_lines_whole(
    monkeypatch,
):
    monkeypatch.setattr(progress, "TICK", 0.05)
    before = _threads()
    with _terminal(monkeypatch) as sent:
        _use_bar()
        assert _threads() <= before
        drawn = re.split(r"[\r\n]+", sent())
        progress.say("Writing x")
        assert sent().strip() == "Writing x"
    waiting = [line for line in drawn if line.startswith("evaluating:")]
    assert len(waiting) >= 5
    assert re.search(
        r"7/10 steps, 00:00 so far, 00:00 left, loss 0.5, 9 im", waiting[0]
    )
    assert any(re.fullmatch(r"W.*\] a warning", line) for line in drawn)
    assert "a line" in drawn


def test_batches_that_somebody_watches_are_counted(monkeypatch):
    """The bar ends before an error in the work on a batch is printed."""
    before = _threads()
    with _terminal(monkeypatch) as sent:
        with progress.counted("abc", 3) as batches:
            assert list(batches) == list("abc")
        drawn = sent()
        with pytest.raises(ZeroDivisionError):
            with progress.counted("abc", 3) as batches:
                assert next(batches) == "a"
                assert _threads() > before
                1 / 0
        assert _threads() <= before
    assert "compiling" in drawn and "3/3 steps" in drawn


def test_a_pipe_gets_the_lines_alone(capsys, monkeypatch):
    monkeypatch.setattr(progress, "TICK", 0.01)
    before = _threads()
    bar = progress.Bar(10, 0)
    assert _threads() <= before
    bar.tell("compiling")
    bar.advance(1)
    bar.write("a line")
    bar.close()
    progress.say("Writing x")
    assert progress.show_picture("nowhere.png") is None
    assert capsys.readouterr() == ("a line\n", "")


_CELL = """
from keras_resnet import progress
progress.TICK = 0.05
{control}
bar = progress.Bar(10, 4)
bar.advance(5)
bar.advance(7)
bar.tell("", ["loss 0.5"])
bar.write("a line")
bar.close()
"""


def _outputs(control=""):
    """What a notebook keeps of a bar, as a real kernel runs it."""
    nbclient = pytest.importorskip("nbclient", reason="needs Jupyter")
    nbformat = pytest.importorskip("nbformat")
    cell = nbformat.v4.new_code_cell(_CELL.format(control=control))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=60).execute()
    return [
        output.get("text") or output["data"]["text/plain"]
        for output in notebook.cells[0].outputs
    ]


def test_a_notebook_keeps_the_last_line_of_a_bar_in_one_place():
    bar, line = _outputs()
    assert "7/10 steps" in bar and "loss 0.5" in bar and "\r" not in bar
    assert line == "a line\n"
    # The negative control: each drawing is kept, as on a terminal.
    drawn = "".join(_outputs("progress._Cell = lambda: None"))
    assert drawn.count("/10 steps") > 2
