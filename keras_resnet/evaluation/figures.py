"""What the reports of all kinds of labels share: K classes, N predictions."""

import dataclasses
import html
import json
import pathlib
from typing import Any
from typing import ClassVar

import numpy as np

from keras_resnet import files

# Guo et al. 2017, arXiv 1706.04599, sec. 5.
CALIBRATION_BINS = 15


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Figures:
    """What the reports of both kinds of labels share.

    Attributes:
        split: name of the split.
        class_names: K names.
        metrics: over all examples.
        bins: float64 (CALIBRATION_BINS, 3): for the predictions with a
            probability in (b / 15, (b + 1) / 15], their number, the sum of
            their probabilities, and how many came true.
        mistakes: those of the highest probabilities, the surest first.
        COLUMNS: {name: attribute (K,)}, the columns of the table of classes.
    """

    split: str
    class_names: tuple[str, ...]
    metrics: Any
    bins: np.ndarray
    mistakes: tuple = ()

    COLUMNS: ClassVar = {
        "precision": "precision",
        "recall": "recall",
        "f1": "f1",
        "examples": "support",
    }

    @property
    def calibration_error(self) -> float:
        """How far probabilities are from the fraction that is right, 0..1.

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
        """Writes the report: a page, or JSON if the name ends in .json.

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


def ratio(part, whole):
    """part / whole; 0 where the whole is 0."""
    return part / np.maximum(whole, 1)


def calibration_bins(probabilities, right):
    """float64 (CALIBRATION_BINS, 3), see `Figures.bins`.

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
