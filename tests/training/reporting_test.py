"""What a person reads of a run says nothing that means nothing."""

import time

import pytest
import tensorflow as tf

from keras_resnet.evaluation import metrics
from keras_resnet.training import reporting

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


def _reporter(folder, num_classes=10):
    return reporting.Reporter(
        folder, first_step=0, steps=8, num_classes=num_classes
    )


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
    """Of five it is right whatever the network says."""
    logits = tf.random.stateless_normal((64, num_classes), (1, 2))
    labels = tf.range(64) % num_classes
    _, _, top5, count = metrics.batch_sums(logits, labels, tf.ones(64))
    assert bool(top5 < count) is shown
    assert metrics.has_top5(num_classes) is shown
    reporter = _reporter(tmp_path, num_classes)
    reporter.evaluation(RECORD)
    reporter.close()
    tags = _tags(tmp_path)
    assert "validation/top1_accuracy" in tags
    assert ("validation/top5_accuracy" in tags) is shown


def test_a_pace_is_said_once_there_is_one(tmp_path, capsys, monkeypatch):
    seconds = iter([0.0, 2.0, 2.0, 3.0, 3.0, 13.0, 13.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    reporter = _reporter(tmp_path)
    reporter.pace(0, 32)  # a run that goes on at an evaluation
    reporter.evaluation(RECORD)
    assert "images/s" not in capsys.readouterr().out
    reporter.pace(4, 32)
    reporter.evaluation(RECORD)
    assert "  64 images/s" in capsys.readouterr().out
    reporter.restart_clock(4)
    reporter.pace(4, 32)  # nothing since: what was measured stays
    reporter.evaluation(RECORD)
    assert "  64 images/s" in capsys.readouterr().out
    reporter.restart_clock(4)
    reporter.pace(8, 1)
    reporter.evaluation(RECORD)
    assert "  0.4 images/s" in capsys.readouterr().out
    reporter.close()
