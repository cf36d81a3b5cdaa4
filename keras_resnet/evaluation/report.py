"""What a network gets right, class by class, and how far to trust its numbers.

Shapes: N examples, K classes.
"""

import dataclasses
import functools

import numpy as np

from keras_resnet.evaluation import figures
from keras_resnet.evaluation import report_page
from keras_resnet.evaluation.metrics import Metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """An example whose likeliest class is wrong.

    Attributes:
        index: of the example in its split.
        name: what the split calls it: its file.
        label, predicted: names of classes.
        probability: of the predicted class.
        image: PNG, what the network saw.
    """

    index: int
    name: str
    label: str
    predicted: str
    probability: float
    image: bytes = dataclasses.field(default=b"", repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Report(figures.Figures):
    """The figures of a classifier on a split.

    Attributes:
        metrics: `Metrics` over all examples.
        confusion: int64 (K, K): examples of class i that are taken for j.
        bins: of the likeliest class of each example; true where it is right.
        mistakes: `Mistake`s, the wrong predictions.
        split, class_names: as in `Figures`.
    """

    metrics: Metrics
    confusion: np.ndarray
    mistakes: tuple[Mistake, ...] = ()

    @functools.cached_property
    def support(self) -> np.ndarray:
        """int64 (K,), examples of each class."""
        return self.confusion.sum(axis=1)

    @functools.cached_property
    def recall(self) -> np.ndarray:
        """float64 (K,): the fraction of a class's examples that is found."""
        return figures.ratio(np.diag(self.confusion), self.support)

    @functools.cached_property
    def precision(self) -> np.ndarray:
        """float64 (K,): the fraction of a class's predictions that is right."""
        return figures.ratio(
            np.diag(self.confusion), self.confusion.sum(axis=0)
        )

    @functools.cached_property
    def f1(self) -> np.ndarray:
        """float64 (K,): the harmonic mean of precision and recall."""
        both = self.support + self.confusion.sum(axis=0)
        return figures.ratio(2 * np.diag(self.confusion), both)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have examples."""
        return float(self.recall[self.support > 0].mean())

    def __repr__(self):
        return (
            f"<Report of {self.split}: {self.metrics.num_examples} examples, "
            f"accuracy {self.metrics.top1_accuracy:.2%}, balanced "
            f"{self.balanced_accuracy:.2%}, calibration error "
            f"{self.calibration_error:.3f}>"
        )

    def own_figures(self):
        """The balanced accuracy and the confusion matrix."""
        return {
            "balanced_accuracy": self.balanced_accuracy,
            "confusion": self.confusion.tolist(),
        }

    def page(self) -> str:
        """The report as a page of HTML."""
        return report_page.page(self)


class Tally:
    """Counts predictions until a `Report` is made of them.

    Args:
        num_classes: int K.
        keep: how many of the surest mistakes to keep.
    """

    def __init__(self, num_classes, keep=24):
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.bins = np.zeros((figures.CALIBRATION_BINS, 3))
        self.mistakes = []
        self._keep, self._seen = keep, 0

    def add(self, probabilities, labels, weights):
        """Counts a batch of examples, the next ones in order.

        Args:
            probabilities: float (N, K).
            labels: int (N,).
            weights: (N,), 0 for what does not count: padding, masked images.
        """
        indices = self._seen + np.arange(len(labels))
        self._seen += len(labels)
        counts = np.asarray(weights) > 0
        probabilities = np.asarray(probabilities, np.float64)[counts]
        labels, indices = np.asarray(labels)[counts], indices[counts]
        predicted = probabilities.argmax(axis=1)
        sure = probabilities.max(axis=1)
        np.add.at(self.confusion, (labels, predicted), 1)
        right = predicted == labels
        self.bins += figures.calibration_bins(sure, right)
        wrong = zip(sure, indices, labels, predicted, strict=True)
        self.mistakes += [row for row in wrong if row[2] != row[3]]
        self.mistakes.sort(key=lambda row: (-row[0], row[1]))
        del self.mistakes[self._keep :]

    def report(self, split, sums, image=lambda index: b""):
        """The `Report` of what was counted.

        Args:
            split: `datasets.Split` that the examples are of.
            sums: of `metrics.batch_sums`, over the same examples.
            image: index -> PNG of what the network saw.
        """
        names = split.class_names
        return Report(
            split=split.name,
            class_names=names,
            metrics=Metrics.from_sums(sums),
            confusion=self.confusion,
            bins=self.bins,
            mistakes=tuple(
                Mistake(
                    index=int(index),
                    name=split.describe(int(index)),
                    label=names[label],
                    predicted=names[predicted],
                    probability=float(sure),
                    image=image(int(index)),
                )
                for sure, index, label, predicted in self.mistakes
            ),
        )
