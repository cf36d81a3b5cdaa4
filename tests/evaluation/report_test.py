"""Figures by class agree with scikit-learn's and with closed forms."""

import html
import json

import numpy as np
import pytest
import sklearn.metrics

from keras_resnet.data.examples.splits import Split
from keras_resnet.evaluation import report

NAMES = ("cat", "dog", "<bird>", "none of these")
SUMS = (200.0, 100.0, 200.0, 200.0)  # of `metrics.SUMS`


def _split(examples):
    return Split(
        name="pets/validation",
        class_names=NAMES,
        num_examples=examples,
        read=None,
        describe=lambda index: f"{index}.jpg",
    )


@pytest.fixture(scope="module")
def predictions():
    """200 examples of three of four classes; about 20% have weight 0."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    logits = rng.normal(size=(200, 4)) + 1.5 * np.eye(4)[labels]
    exps = np.exp(2 * logits)
    weights = (rng.random(200) < 0.8).astype(np.float32)
    return exps / exps.sum(axis=1, keepdims=True), labels, weights


def _report(predictions, batch=200):
    tally = report.Tally(4)
    for start in range(0, 200, batch):
        tally.add(*(part[start : start + batch] for part in predictions))
    return tally.report(_split(200), SUMS)


def test_figures_are_scikit_learns(predictions):
    ours = _report(predictions)
    probabilities, labels, weights = predictions
    counted = weights > 0
    true, taken = labels[counted], probabilities.argmax(axis=1)[counted]
    np.testing.assert_array_equal(
        ours.confusion,
        sklearn.metrics.confusion_matrix(true, taken, labels=range(4)),
    )
    theirs = sklearn.metrics.precision_recall_fscore_support(
        true, taken, labels=range(4), zero_division=0
    )
    for mine, other in zip(
        (ours.precision, ours.recall, ours.f1, ours.support),
        theirs,
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    assert ours.balanced_accuracy == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(true, taken), rel=1e-12
    )
    # Examples of weight 0 would change them.
    everything = _report((probabilities, labels, np.ones(200)))
    assert (everything.confusion != ours.confusion).any()


def test_batches_do_not_matter(predictions):
    ours, other = _report(predictions), _report(predictions, batch=7)
    np.testing.assert_array_equal(ours.confusion, other.confusion)
    np.testing.assert_allclose(ours.bins, other.bins, rtol=1e-12)
    assert ours.mistakes == other.mistakes


@pytest.mark.parametrize("right, error", [(8, 0.0), (6, 0.2), (10, 0.2)])
def test_calibration_is_the_distance_from_what_is_right(right, error):
    """Ten predictions of 0.8, some of them right."""
    tally = report.Tally(4)
    probabilities = np.tile([0.8, 0.2, 0.0, 0.0], (10, 1))
    tally.add(probabilities, [0] * right + [1] * (10 - right), np.ones(10))
    ours = tally.report(_split(10), SUMS)
    assert ours.calibration_error == pytest.approx(error, abs=1e-12)
    assert ours.bins[11].tolist() == [10, pytest.approx(8.0), right]


def test_the_surest_mistakes_come_first_by_their_files(predictions):
    ours = _report(predictions)
    probabilities, labels, weights = predictions
    wrong = (probabilities.argmax(axis=1) != labels) & (weights > 0)
    surest = np.where(wrong, probabilities.max(axis=1), 0).argmax()
    first, *rest = ours.mistakes
    assert (first.index, first.name) == (surest, f"{surest}.jpg")
    assert first.label == NAMES[labels[surest]] != first.predicted
    assert [m.probability for m in rest] == sorted(
        (m.probability for m in rest), reverse=True
    )
    assert len(ours.mistakes) == min(24, wrong.sum()) > 5


def test_it_is_written_as_json_and_shown_in_a_notebook(predictions):
    ours = _report(predictions)
    written = json.loads(ours.to_json())
    assert written["classes"]["cat"]["recall"] == ours.recall[0]
    assert written["classes"]["none of these"]["examples"] == 0
    assert written["mistakes"][0]["name"] == ours.mistakes[0].name
    assert "accuracy 50.00%" in repr(ours)
    frame = ours._repr_html_()
    assert frame.startswith("<iframe") and "<bird>" not in frame
    # The page in the frame is text of its attribute, escaped once more.
    assert f"<th>&lt;bird&gt;</th><td>{ours.precision[2]:.3f}" in (
        html.unescape(frame)
    )
