"""Ratios that were promised, beside what was measured.

The inference benchmark's are in `inference_ratios`, whose tables name them.
"""

import typing

from benchmarks import tables
from benchmarks.train_report import CEILING


class Promise(typing.NamedTuple):
    """A ratio that must not be missed.

    Attributes:
        name: words for it.
        sign: ">=" or "<=".
        promised: the number.
        path: keys of the figures that lead to a spread or a number.
    """

    name: str
    sign: str
    promised: float
    path: tuple


def _step(name, promised, row):
    """Of our step's speed over another's, in one run."""
    return Promise(name, ">=", promised, ("speed", row, "ours_over_this"))


# {benchmark: its promises}.
PROMISES = {
    "input": (
        Promise(
            "ours over tf.data, plain, CPU",
            "<=",
            0.7,
            (
                "sets",
                "500x375",
                "speed",
                "tf.data, plain",
                "reference_over_this",
            ),
        ),
    ),
    "train": (
        _step("ours over its convolutions", 0.93, CEILING),
        _step("ours over keras.applications", 1.25, "keras.applications, fit"),
        _step("ours over torchvision", 1.09, "torchvision, PyTorch"),
    ),
}


def table(figures):
    """The section on what was promised: a list of paragraphs, or none."""
    promises = PROMISES.get(figures["benchmark"], ())
    rows = [_row(figures, promise) for promise in promises]
    return ["### Promised", tables.of_rows(rows, COLUMNS)] if rows else []


COLUMNS = {
    "ratio": ("name", ""),
    "promised": ("promised", ""),
    "measured": ("measured", ".2f"),
    "": ("verdict", ""),
}


def _row(figures, promise):
    found = figures
    for key in promise.path:
        found = found.get(key) if isinstance(found, dict) else None
    return {
        "name": promise.name,
        "promised": f"{promise.sign} {promise.promised:g}",
        "measured": found,
        "verdict": verdict(promise, found),
    }


def verdict(promise, found):
    """ "met" or "missed", of two digits behind the point, or "not measured".

    Args:
        promise: a `Promise`.
        found: a spread, of which the median counts, a number or None.
    """
    if found is None:
        return "not measured"
    value = found["median"] if isinstance(found, dict) else found
    off = round(value, 2) - promise.promised
    met = off <= 0 if promise.sign == "<=" else off >= 0
    return "met" if met else "**missed**"
