"""What a network gets right, label by label, where none excludes another.

Shapes: N examples, K labels.
"""

import dataclasses
import functools
from typing import ClassVar

import numpy as np

from keras_resnet.evaluation import figures
from keras_resnet.evaluation import multi_label
from keras_resnet.evaluation import report_page


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongLabel:
    """A label of an example that is answered wrongly.

    Attributes:
        index: of the example in its split.
        name: what the split calls it: its file.
        label: name of the label.
        is_there: whether the example has it.
        probability: of the label.
        image: PNG, what the network saw.
    """

    index: int
    name: str
    label: str
    is_there: bool
    probability: float
    image: bytes = dataclasses.field(default=b"", repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class MultiLabelReport(figures.Figures):
    """The figures of a classifier whose labels do not exclude each other.

    A label is answered with yes if its probability is above 0.5.

    Attributes:
        metrics: `multi_label.MultiLabelMetrics` over all examples.
        counts: int64 (K, 4), see `multi_label.count`.
        average_precision: float64 (K,), of each label.
        bins: of all labels of all examples; true where the label is there.
        mistakes: `WrongLabel`s, the wrong answers.
        split, class_names: as in `Figures`.
    """

    metrics: multi_label.MultiLabelMetrics
    counts: np.ndarray
    average_precision: np.ndarray
    mistakes: tuple[WrongLabel, ...] = ()

    COLUMNS: ClassVar = {
        "average_precision": "average_precision",
        **figures.Figures.COLUMNS,
    }

    @functools.cached_property
    def support(self) -> np.ndarray:
        """int64 (K,), examples that have each label."""
        return self.counts[:, 0] + self.counts[:, 2]

    @functools.cached_property
    def recall(self) -> np.ndarray:
        """float64 (K,): the fraction of a label's examples that is found."""
        return figures.ratio(self.counts[:, 0], self.support)

    @functools.cached_property
    def precision(self) -> np.ndarray:
        """float64 (K,): the fraction of the answers yes that is right."""
        hits, invented = self.counts[:, :2].T
        return figures.ratio(hits, hits + invented)

    @functools.cached_property
    def f1(self) -> np.ndarray:
        """float64 (K,): the harmonic mean of precision and recall."""
        return multi_label.f1(self.counts)

    def rows(self):
        """{label: {column: number}}, the four counts among them."""
        counts = zip(super().rows().items(), self.counts.tolist(), strict=True)
        return {
            name: {**row, **dict(zip(multi_label.COUNTS, four, strict=True))}
            for (name, row), four in counts
        }

    def page(self) -> str:
        """The report as a page of HTML."""
        return report_page.multi_label_page(self)

    def __repr__(self):
        return (
            f"<Report of {self.split}: {self.metrics.num_examples} examples, "
            f"{self.metrics}, calibration error {self.calibration_error:.3f}>"
        )


class Tally:
    """Gathers answers until a `MultiLabelReport` is made of them.

    Args:
        keep: how many of the surest mistakes to keep.
    """

    def __init__(self, keep=24):
        self._parts, self._keep = [], keep

    def add(self, logits, labels, weights):
        """Adds a batch of examples, the next ones in order.

        Args:
            logits: float (B, K).
            labels: (B, K) of 0 and 1.
            weights: (B,), 0 for what does not count: padding, masked images.
        """
        self._parts.append((logits, labels, weights))

    def report(self, split, sums, image=lambda index: b""):
        """The `MultiLabelReport` of what was added.

        Args:
            split: `datasets.Split` that the examples are of.
            sums: of `multi_label.batch_sums`, over the same examples.
            image: index -> PNG of what the network saw.
        """
        rows = [np.concatenate(part) for part in zip(*self._parts, strict=True)]
        logits, labels, counted = rows[0], rows[1] > 0, rows[2] > 0
        probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
        counts = multi_label.count(logits, labels, counted)
        wrong = ((logits > 0) != labels) & counted[:, np.newaxis]
        return MultiLabelReport(
            split=split.name,
            class_names=split.class_names,
            metrics=multi_label.measure(sums, *rows),
            counts=counts.astype(np.int64),
            average_precision=multi_label.average_precisions(
                logits, labels, counted
            ),
            bins=figures.calibration_bins(
                probabilities[counted].ravel(), labels[counted].ravel()
            ),
            mistakes=tuple(
                WrongLabel(
                    index=int(index),
                    name=split.describe(int(index)),
                    label=split.class_names[label],
                    is_there=bool(labels[index, label]),
                    probability=float(probabilities[index, label]),
                    image=image(int(index)),
                )
                for index, label in _surest(logits, wrong)[: self._keep]
            ),
        )


def _surest(logits, wrong):
    """Where bool (N, K) `wrong` is true, the most extreme logit first."""
    order = np.argsort(-np.abs(logits[wrong]), kind="stable")
    return np.argwhere(wrong)[order]
