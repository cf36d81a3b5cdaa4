"""Ratios that were promised, beside what was measured.

The inference benchmark's are in `inference_ratios`, whose tables name them.
"""

import typing

from benchmarks import tables

from keras_resnet.training import processor

_BF16 = "bfloat16"


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


def _typed(network, row, our_type, promised):
    """A promise on our step's speed in a type over a row's, in one run."""
    name = f"{network}, ours in {our_type} over {row}"
    return Promise(
        name, ">=", promised, ("types", network, "rows", row, our_type)
    )


# {benchmark: its promises}.
PROMISES = {
    "input": (
        Promise(
            "ours over known windows, CPU",
            "<=",
            1.2,
            (
                "sets",
                "500x375",
                "speed",
                "known windows: decode, resize, round, flip",
                "reference_over_this",
            ),
        ),
    ),
    "train": (
        Promise(
            "ResNet-50, ours over keras.applications",
            ">=",
            1.5,
            ("speed", "keras.applications, fit", "ours_over_this"),
        ),
        _typed("ResNet-50", "keras.applications, fit, float32", _BF16, 2.1),
        _typed("ResNet-50", "keras.applications, fit, bfloat16", _BF16, 1.4),
        _typed("ResNet-50", "torchvision, PyTorch, bfloat16", _BF16, 1.05),
        _typed("ResNet-50", "the convolutions alone, bfloat16", _BF16, 0.93),
        _typed("ResNet-20", "Keras' own layers, fit, float32", "float32", 1.8),
        _typed("ResNet-20", "Keras' own layers, fit, float32", _BF16, 2.6),
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
    said = verdict(promise, found)
    flags = figures.get("machine", {}).get("flags")
    lacks = _BF16 in promise.name and processor.lacks_bfloat16(flags)
    if lacks and found is not None:
        said = "the processor has no bfloat16"
    return {
        "name": promise.name,
        "promised": f"{promise.sign} {promise.promised:g}",
        "measured": found,
        "verdict": said,
    }


def verdict(promise, found):
    """ "met" or "missed", rounded to two decimals, or "not measured".

    Args:
        promise: a `Promise`.
        found: a spread (its median counts), a number or None.
    """
    if found is None:
        return "not measured"
    value = found["median"] if isinstance(found, dict) else found
    off = round(value, 2) - promise.promised
    met = off <= 0 if promise.sign == "<=" else off >= 0
    return "met" if met else "**missed**"
