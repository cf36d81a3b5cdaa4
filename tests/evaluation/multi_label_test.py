"""Figures of independent labels agree with scikit-learn's and Keras'."""

import dataclasses
import json
import warnings

import keras
import numpy as np
import pytest
import sklearn.metrics
import squares
import tensorflow as tf

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.evaluation import metrics
from keras_resnet.evaluation import multi_label
from keras_resnet.evaluation import multi_label_report
from keras_resnet.evaluation import reports
from keras_resnet.evaluation import views
from keras_resnet.labels.view import View

NUMBER = 120
SPLIT = squares.split("validation", 1, NUMBER)
VIEW = View(resize=8, crop=8)


@pytest.fixture(scope="module")
def answers():
    """Logits with ties, labels (one that no example has) and weights."""
    rng = np.random.default_rng(0)
    labels = (rng.random((NUMBER, 3)) < (0.5, 0.2, 0)).astype(np.uint8)
    logits = np.round(rng.normal(labels - 0.5), 1).astype(np.float32)
    return logits, labels, (rng.random(NUMBER) < 0.8).astype(np.float32)


def _sums(logits, labels, weights, batch=NUMBER):
    found = 0
    for start in range(0, NUMBER, batch):
        part = slice(start, start + batch)
        rows = (logits[part], labels[part], weights[part])
        found = found + np.asarray(metrics.batch_sums(*map(tf.constant, rows)))
    return found


def _report(answers, batch=NUMBER):
    tally = multi_label_report.Tally()
    for start in range(0, NUMBER, batch):
        tally.add(*(part[start : start + batch] for part in answers))
    return tally.report(SPLIT, _sums(*answers, batch))


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("weighted", [True, False])
def test_average_precision_is_scikit_learns(answers, label, weighted):
    logits, labels, weights = answers
    weights = weights + 0.5 if weighted else None
    scores, there = logits[:, label], labels[:, label]
    assert len(set(scores.tolist())) < NUMBER / 2  # many ties
    expected = sklearn.metrics.average_precision_score(
        there, scores, sample_weight=weights
    )
    ours = multi_label.average_precision(scores, there, weights)
    assert ours == pytest.approx(expected, rel=1e-12)
    # It would be higher if ties were broken in favour of the true labels.
    broken = scores + 0.01 * there
    assert multi_label.average_precision(broken, there, weights) > ours + 1e-3


@pytest.mark.parametrize("batch", [NUMBER, 7])
def test_figures_are_scikit_learns_in_any_batches(answers, batch):
    ours = _report(answers, batch)
    counted = answers[2] > 0
    logits, labels = answers[0][counted], answers[1][counted]
    with warnings.catch_warnings(action="ignore"):  # about the empty label
        theirs = sklearn.metrics.precision_recall_fscore_support(
            labels, logits > 0, zero_division=0
        )
        mean = sklearn.metrics.average_precision_score(
            labels[:, :2], logits[:, :2]
        )
        counts = sklearn.metrics.multilabel_confusion_matrix(labels, logits > 0)
        micro = sklearn.metrics.f1_score(labels, logits > 0, average="micro")
    for mine, other in zip(
        (ours.precision, ours.recall, ours.f1, ours.support),
        theirs,
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    np.testing.assert_array_equal(
        ours.counts, counts[:, [1, 0, 1, 0], [1, 1, 0, 0]]
    )
    assert ours.metrics.num_examples == counted.sum() < NUMBER
    assert ours.metrics.micro_f1 == pytest.approx(micro, rel=1e-6)
    # The label that no example has is left out.
    assert ours.metrics.mean_average_precision == pytest.approx(mean)
    assert ours.metrics.macro_f1 == pytest.approx(theirs[2][:2].mean())
    loss = keras.losses.binary_crossentropy(
        labels.astype("f"), logits, from_logits=True
    )
    assert ours.metrics.loss == pytest.approx(float(np.mean(loss)), rel=1e-5)
    everything = _report((*answers[:2], np.ones(NUMBER, "f")), batch)
    assert (everything.counts != ours.counts).any()


def test_calibration_and_the_surest_mistakes(answers):
    logits, labels, weights = answers
    ours = _report(answers)
    probabilities = 1 / (1 + np.exp(-logits[weights > 0].astype(float)))
    assert ours.bins[:, 0].sum() == probabilities.size
    assert ours.bins[:, 1].sum() == pytest.approx(probabilities.sum())
    assert ours.bins[:, 2].sum() == labels[weights > 0].sum()
    wrong = ((logits > 0) != labels) * (weights > 0)[:, None] * np.abs(logits)
    first, *rest = ours.mistakes
    index = wrong.max(axis=1).argmax()
    assert (first.index, first.name) == (index, f"{index}.png")
    assert first.is_there == (first.probability <= 0.5)
    sure = [round(abs(m.probability - 0.5), 6) for m in (first, *rest)]
    assert sure == sorted(sure, reverse=True) and len(sure) == 24


def test_the_report_never_speaks_of_a_first_class(answers, tmp_path):
    ours = _report(answers)
    ours.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    ours.save(tmp_path / "report.json")
    figures = json.loads((tmp_path / "report.json").read_text())
    for text in (page, ours.to_json(), repr(ours), ours._repr_html_()):
        assert "top1" not in text and "top-1" not in text
        assert "taken for" not in text and "confusion" not in text
        assert f"{ours.metrics.macro_f1:.2%}" in text or text[0] == "{"
    assert page.count("is not there; answered at") + page.count(
        "is there; answered at"
    ) == len(ours.mistakes)
    assert f"<th>green</th><td>{ours.average_precision[1]:.3f}</td>" in page
    assert figures["classes"]["green"]["true_positives"] == ours.counts[1, 0]
    assert figures["mistakes"][0]["is_there"] == ours.mistakes[0].is_there


def _model(activation="sigmoid"):
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        "resnet20",
        depths=(1,),
        filters=(16,),
        input_shape=(8, 8, 3),
        classes=3,
        classifier_activation=activation,
    )
    model.get_layer("logits").kernel.assign(
        20 * model.get_layer("logits").kernel
    )
    return model


@pytest.fixture(scope="module")
def split():
    return squares.split("validation", 1, 21)


def test_devices_and_views_give_the_figures_of_the_probabilities(split):
    """One network's center view gives its report; two give their mean."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model, other = _model(), _model()
        other.get_layer("logits").bias.assign([1.0, -1.0, 0.5])
    alone = reports.make(model, VIEW, split, batch_size=8).metrics
    members = [views.Member(model=m, view=VIEW) for m in (model, other)]
    found = views.evaluate(
        members, strategy, split, views="center", batch_size=8
    )
    for name, value in dataclasses.asdict(alone).items():
        assert getattr(found[0], name) == pytest.approx(value, rel=1e-5)
    images, labels = squares.arrays(1, 21)
    mean = np.mean([m(images) for m in (model, other)], 0)
    expected = multi_label.measure(
        np.ones(4), np.log(mean) - np.log(1 - mean), labels, np.ones(21)
    )
    loss = keras.losses.binary_crossentropy(labels.astype("f"), mean)
    assert found[2].loss == pytest.approx(float(np.mean(loss)), rel=1e-4)
    for name in ("mean_average_precision", "macro_f1"):
        assert getattr(found[2], name) == getattr(expected, name)
    assert found[2].loss != pytest.approx(found[0].loss, rel=1e-2)


@pytest.mark.parametrize("several", [True, False])
def test_a_network_of_the_other_kind_is_refused(split, several):
    model = _model("softmax" if several else "sigmoid")
    data = split if several else squares.of_one_class(split)
    members = [views.Member(model=model, view=VIEW)]
    for evaluate in (
        lambda: reports.make(model, VIEW, data),
        lambda: views.evaluate(
            members, None, data, views="center", batch_size=8
        ),
    ):
        with pytest.raises(UsageError, match="The network answers .*, but squ"):
            evaluate()
