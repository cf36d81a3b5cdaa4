"""What a run reports to a person contains nothing meaningless."""

import dataclasses
import time

import matplotlib.figure
import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.evaluation import metrics
from keras_resnet.recipes import schedules
from keras_resnet.training import reporting
from keras_resnet.training.engines import engine
from keras_resnet.training.state import RunState

RECORD = {
    "step": 4,
    "epoch": 1.0,
    "train_loss": 0.5,
    "train_top1_accuracy": 0.5,
    "validation_loss": 0.5,
    "top1_accuracy": 0.75,
    "top5_accuracy": 1.0,
    "learning_rate": 0.1,
}


RECIPE = dataclasses.replace(recipes.RECIPES["digits"], batch_size=32, steps=8)


def _reporter(folder, num_classes=10):
    """A reporter of a run that begins, and the run's state."""
    state = RunState(schedules.make(RECIPE), records=[RECORD])
    names = [str(number) for number in range(num_classes)]
    reporter = reporting.Reporter(folder, RECIPE, names)
    reporter.begin(engine.make(), state)
    return reporter, state


def _tags(folder):
    [path] = (folder / "tensorboard").iterdir()
    return {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


@pytest.mark.parametrize(
    "num_classes, shown", [(2, False), (5, False), (6, True)]
)
def test_top5_is_for_more_than_five_classes(num_classes, shown, tmp_path):
    """With five classes it is right whatever the network says."""
    logits = tf.random.stateless_normal((64, num_classes), (1, 2))
    labels = tf.range(64) % num_classes
    _, _, top5, count = metrics.batch_sums(logits, labels, tf.ones(64))
    assert bool(top5 < count) is shown
    assert metrics.has_top5(num_classes) is shown
    reporter, state = _reporter(tmp_path, num_classes)
    reporter.after_evaluation(state)
    reporter.close()
    tags = _tags(tmp_path)
    assert "validation/top1_accuracy" in tags
    assert ("validation/top5_accuracy" in tags) is shown


def test_a_pace_is_said_once_there_is_one(tmp_path, capsys, monkeypatch):
    clock = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: clock)
    reporter, state = _reporter(tmp_path)

    def said(step, seconds):
        nonlocal clock
        clock, state.step = clock + seconds, step
        reporter.before_evaluation(state)
        clock += 100  # an evaluation is not training
        reporter.after_evaluation(state)
        return capsys.readouterr().out

    # A run that resumes at an evaluation.
    assert "images/s" not in said(0, 1)
    assert "  64 images/s" in said(4, 2)
    # No step since then: the last pace stays.
    assert "  64 images/s" in said(4, 1)
    assert "  3.2 images/s" in said(8, 40)
    reporter.close()


def test_drawing_takes_a_tenth_of_the_time_and_ends_with_all(
    tmp_path, monkeypatch
):
    clock, drawn = 0.0, []

    def draw(records, path, *words):
        nonlocal clock
        clock += 1
        drawn.append(len(records))
        path.write_bytes(b"")

    monkeypatch.setattr(time, "monotonic", lambda: clock)
    monkeypatch.setattr(reporting, "draw_curves", draw)
    reporter, state = _reporter(tmp_path)
    for wait in (0, 9, 2, 3):
        clock += wait
        reporter.after_checkpoint(state)
        state.records.append(RECORD)
    assert drawn == [1, 3]
    reporter.finish(state)
    reporter.finish(state)  # nothing came since
    assert drawn == [1, 3, 5]
    reporter.close()


@pytest.mark.parametrize("training, top", [(0.2, 80), (0.0, 5)])
def test_half_of_either_curve_is_in_the_picture(training, top):
    """With few pictures, validation has no errors long before training has."""
    records = [
        RECORD
        | {
            "step": step,
            "train_top1_accuracy": 1 - training,
            "top1_accuracy": 0.3 if step < 3 else 1.0,
        }
        for step in range(1, 8)
    ]
    axes = matplotlib.figure.Figure().subplots()
    reporting._draw_errors(axes, records, "title", metrics.Metrics)
    assert axes.get_ylim() == (0, pytest.approx(top))
    for line in axes.lines[:2]:
        inside = [value <= top for value in line.get_ydata()]
        assert sum(inside) > len(inside) / 2
