"""Errors of a data set: sums over examples, against NumPy."""

import numpy as np
import pytest

from keras_resnet.evaluation import metrics


def _batch(n=50, classes=10):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n, classes)).astype(np.float32)
    label = rng.integers(classes, size=n).astype(np.int32)
    weight = (rng.random(n) < 0.7).astype(np.float32)
    return logits, label, weight


def test_sums_are_those_of_the_weighted_examples():
    logits, label, weight = _batch()
    loss, top1, top5, examples = metrics.batch_sums(logits, label, weight)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    order = np.argsort(-logits, axis=1)
    rank = np.array([list(o).index(t) for o, t in zip(order, label)])
    assert float(loss) == pytest.approx(
        -(log_p[np.arange(50), label] * weight).sum(), rel=1e-5
    )
    assert float(top1) == ((rank < 1) * weight).sum()
    assert float(top5) == ((rank < 5) * weight).sum()
    assert float(examples) == weight.sum()


def test_padding_changes_nothing():
    logits, label, weight = _batch()
    padded = [
        np.concatenate([a, b])
        for a, b in zip(_batch(), (logits * 9, label, 0 * weight))
    ]
    np.testing.assert_allclose(
        metrics.batch_sums(*padded),
        metrics.batch_sums(logits, label, weight),
        rtol=1e-6,
    )


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_ties_and_nan_are_not_right(value):
    logits = np.full((3, 10), value, np.float32)
    label, weight = np.array([0, 1, 2], np.int32), np.ones(3, np.float32)
    _, top1, top5, _ = metrics.batch_sums(logits, label, weight)
    assert float(top1) == float(top5) == 0


def test_with_few_classes_top5_is_always_right():
    logits, label, weight = _batch(classes=4)
    _, _, top5, examples = metrics.batch_sums(logits, label, weight)
    assert top5 == examples


def test_means_do_not_depend_on_the_batches():
    logits, label, _ = _batch()

    def evaluate(size):
        batches = [
            (logits[i : i + size], label[i : i + size])
            for i in range(0, 50, size)
        ]
        return metrics.evaluate(
            lambda batch: metrics.batch_sums(*batch, np.ones(len(batch[1]))),
            batches,
        )

    whole, parts = evaluate(50), evaluate(7)
    assert whole.num_examples == parts.num_examples == 50
    assert parts.top1_accuracy == whole.top1_accuracy
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert whole.top1_error == 1 - whole.top1_accuracy
