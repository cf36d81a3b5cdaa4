"""What a network gets right, class by class, and how far to trust its numbers.

Shapes: N examples, K classes.
"""

import dataclasses
import functools
import html
import json
import pathlib

import numpy as np

from keras_resnet import files
from keras_resnet.evaluation import report_page
from keras_resnet.evaluation.metrics import Metrics

# Guo et al. 2017, arXiv 1706.04599, sec. 5.
CALIBRATION_BINS = 15


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


class Figures:
    """What the reports of both kinds of labels share.

    Subclasses are dataclasses of `split`, `class_names`, `metrics`, `bins` and
    `mistakes`.

    Attributes:
        COLUMNS: {name: attribute (K,)}, the columns of the table of classes.
    """

    COLUMNS = {
        "precision": "precision",
        "recall": "recall",
        "f1": "f1",
        "examples": "support",
    }

    @property
    def calibration_error(self) -> float:
        """How far probabilities are from the part that is right, 0..1.

        The expected calibration error (Guo et al. 2017, eq. 3).
        """
        count, confidence, right = self.bins.T
        return float(np.abs(confidence - right).sum() / max(count.sum(), 1))

    def rows(self):
        """{class: {column: number}}."""
        columns = [getattr(self, n).tolist() for n in self.COLUMNS.values()]
        return {
            name: dict(zip(self.COLUMNS, row, strict=True))
            for name, *row in zip(self.class_names, *columns, strict=True)
        }

    def own_figures(self):
        """{name: figure} that only this kind of report has, as JSON values."""
        return {}

    def to_json(self) -> str:
        """All figures, as JSON."""
        figures = {
            "split": self.split,
            **dataclasses.asdict(self.metrics),
            "calibration_error": self.calibration_error,
            **self.own_figures(),
            "classes": self.rows(),
            "calibration_bins": self.bins.tolist(),
            "mistakes": [
                {k: v for k, v in dataclasses.asdict(m).items() if k != "image"}
                for m in self.mistakes
            ],
        }
        return json.dumps(figures, indent=1, ensure_ascii=False)

    def save(self, path):
        """Writes the report: a page, or for a name that ends in .json JSON.

        Args:
            path: of the file.
        """
        is_json = pathlib.Path(path).suffix == ".json"
        text = self.to_json() if is_json else self.page()
        files.write_text(path, text)

    def _repr_html_(self):
        """The page in a frame, for notebooks: it has styles of its own."""
        return (
            f'<iframe srcdoc="{html.escape(self.page())}" style="width: 100%; '
            'height: 45rem; border: 0"></iframe>'
        )


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Report(Figures):
    """The figures of a classifier on a split.

    Attributes:
        split: name of the split.
        class_names: K names.
        metrics: `Metrics` over all examples.
        confusion: int64 (K, K): examples of class i that are taken for j.
        bins: float64 (CALIBRATION_BINS, 3): of the predictions with a
            probability in ((b) / 15, (b + 1) / 15] their number, the sum of
            their probabilities, and how many are right.
        mistakes: the wrong predictions of the highest probabilities, first
            the surest.
    """

    split: str
    class_names: tuple[str, ...]
    metrics: Metrics
    confusion: np.ndarray
    bins: np.ndarray
    mistakes: tuple[Mistake, ...] = ()

    @functools.cached_property
    def support(self) -> np.ndarray:
        """int64 (K,), examples of each class."""
        return self.confusion.sum(axis=1)

    @functools.cached_property
    def recall(self) -> np.ndarray:
        """float64 (K,): of the examples of a class, the part that is found."""
        return ratio(np.diag(self.confusion), self.support)

    @functools.cached_property
    def precision(self) -> np.ndarray:
        """float64 (K,): of what is taken for a class, the part that is one."""
        return ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @functools.cached_property
    def f1(self) -> np.ndarray:
        """float64 (K,): the harmonic mean of precision and recall."""
        both = self.support + self.confusion.sum(axis=0)
        return ratio(2 * np.diag(self.confusion), both)

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


def ratio(part, whole):
    """part / whole, 0 where nothing is."""
    return part / np.maximum(whole, 1)


def calibration_bins(probabilities, right):
    """float64 (CALIBRATION_BINS, 3), see `Report.bins`.

    Args:
        probabilities: float (N,).
        right: bool (N,), whether what had the probability came true.
    """
    places = np.ceil(probabilities * CALIBRATION_BINS).astype(int) - 1
    places = places.clip(0, CALIBRATION_BINS - 1)
    ones = np.ones_like(probabilities)
    bins = np.zeros((CALIBRATION_BINS, 3))
    np.add.at(bins, places, np.stack([ones, probabilities, right], axis=1))
    return bins


class Tally:
    """Counts predictions until a `Report` is made of them.

    Args:
        num_classes: int K.
        keep: how many mistakes to keep, the surest.
    """

    def __init__(self, num_classes, keep=24):
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.bins = np.zeros((CALIBRATION_BINS, 3))
        self.mistakes = []
        self._keep, self._seen = keep, 0

    def add(self, probabilities, labels, weights):
        """Counts a batch of examples, which follow those before in order.

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
        self.bins += calibration_bins(sure, right)
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
