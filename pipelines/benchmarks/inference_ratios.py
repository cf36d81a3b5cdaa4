"""What the figures of the inference benchmark are held against.

All ratios are of medians of contenders that took turns; above 1 the first is
the faster one, but of `of_successor`, which is of latencies.
"""

import dataclasses
import statistics

from benchmarks import inference_contenders as contenders
from benchmarks import measure

# At least as fast as the best peer of the format, and this much faster than
# the file that Keras itself writes.
PEER, KERAS_SAVED_MODEL = 1.0, 1.15
# int8 over float32: speed, and bytes.
INT8_SPEED, INT8_SIZE = 2.5, 0.25
# Latency of the pre-activation network over the original one's.
SUCCESSOR = 1.15

_FLOAT32 = (
    contenders.SAVED_MODEL,
    contenders.TFLITE,
    contenders.ONNX,
    contenders.OPENVINO,
)
_PYTORCH = (contenders.EAGER, contenders.TORCHSCRIPT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One ratio in all settings.

    Attributes:
        words: what it is of, a cell each.
        cells: {setting: spread}.
        target: float, or None.
        at_most: whether the target is the most that is right, not the least.
    """

    words: tuple[str, ...]
    cells: dict
    target: float | None
    at_most: bool = False

    def reached(self, value):
        """Whether a number is right, of as many digits as are shown."""
        if self.target is None:
            return True
        shown = round(value, 2)
        return shown <= self.target if self.at_most else shown >= self.target

    def counts(self):
        """(reached, missed by less than the spread, all) of the settings."""
        if self.target is None:
            return 0, 0, 0
        cells = self.cells.values()
        right = sum(self.reached(cell["median"]) for cell in cells)
        best = "min" if self.at_most else "max"
        perhaps = sum(self.reached(cell[best]) for cell in cells)
        return right, perhaps - right, len(cells)


def latencies(figures):
    """{(network, library, format): {setting: milliseconds, one a round}}."""
    found = {}
    for group in figures["groups"]:
        for row in group["rows"]:
            key = row["network"], row["library"], row["format"]
            of_one = found.setdefault(key, {})
            of_one[group["setting"]] = row["milliseconds"]
    return found


def of_peers(figures):
    """Ours over the best peer of each format, and of all that are float32.

    Returns:
        list of `Row`, its words the network, the format and the peer.
    """
    rows = []
    for network in figures["networks"]:
        for name in (*_FLOAT32, contenders.TFLITE_DYNAMIC):
            for library in (contenders.KERAS, contenders.TORCHVISION):
                keras_file = (name, library) == (
                    contenders.SAVED_MODEL,
                    contenders.KERAS,
                )
                target = KERAS_SAVED_MODEL if keras_file else PEER
                words = network, name, library
                rows.append(
                    _over(figures, words, [name], library, [name], target)
                )
        words = network, contenders.SAVED_MODEL, "PyTorch, the faster way"
        rows.append(
            _over(
                figures,
                words,
                [contenders.SAVED_MODEL],
                contenders.TORCHVISION,
                _PYTORCH,
                None,
            )
        )
        for library in (contenders.KERAS, contenders.TORCHVISION):
            words = network, "our fastest float32", f"{library}, its fastest"
            theirs = (*_FLOAT32, *_PYTORCH)
            rows.append(_over(figures, words, _FLOAT32, library, theirs, PEER))
    return [row for row in rows if row.cells]


def _over(figures, words, our_formats, library, their_formats, target):
    """A `Row` of the fastest of ours over the fastest of a library's."""
    network, found, cells = words[0], latencies(figures), {}
    for setting in settings(figures, network):
        ours, theirs = (
            [
                of_one[setting]
                for name in names
                for of_one in [found.get((network, whose, name), {})]
                if setting in of_one
            ]
            for whose, names in (
                (contenders.OURS, our_formats),
                (library, their_formats),
            )
        )
        if ours and theirs:
            cells[setting] = measure.ratio(_fastest(theirs), _fastest(ours))
    return Row(words=words, cells=cells, target=target)


def _fastest(of_all):
    return min(of_all, key=statistics.median)


def of_int8(figures):
    """Ours in int8 over the same network and runtime in float32.

    Returns:
        list of `Row`, its words the network and the format.
    """
    found, rows = latencies(figures), []
    for network in figures["networks"]:
        for name, whole in contenders.FLOAT32.items():
            of_int8, of_float32 = (
                found.get((network, contenders.OURS, key), {})
                for key in (name, whole)
            )
            cells = _ratios(of_float32, of_int8)
            words = network, name
            rows.append(Row(words=words, cells=cells, target=INT8_SPEED))
    return [row for row in rows if row.cells]


def _ratios(above, below):
    """{setting: ratio of latencies} of the settings that both have."""
    return {
        setting: measure.ratio(above[setting], milliseconds)
        for setting, milliseconds in below.items()
        if setting in above
    }


def of_sizes(figures):
    """Bytes of ours in int8 over those in float32.

    Returns:
        list of `Row`, its words the network and the format; one cell.
    """
    sizes = {
        (row["network"], row["format"]): row["bytes"]
        for row in figures["starts"]
        if row["library"] == contenders.OURS
    }
    rows = []
    for (network, name), size in sizes.items():
        whole = sizes.get((network, contenders.FLOAT32.get(name)))
        if whole:
            cells = {"size": measure.spread([size / whole])}
            words = network, name
            rows.append(
                Row(words=words, cells=cells, target=INT8_SIZE, at_most=True)
            )
    return rows


def of_successor(figures):
    """Latency of our pre-activation network over that of the original one.

    Returns:
        list of `Row`, its words the format.
    """
    found, rows = latencies(figures), []
    before, after = figures["successor"]
    for name in _FLOAT32:
        first, second = (
            found.get((network, contenders.OURS, name), {})
            for network in (before, after)
        )
        cells = _ratios(second, first)
        words = (name,)
        rows.append(
            Row(words=words, cells=cells, target=SUCCESSOR, at_most=True)
        )
    return [row for row in rows if row.cells]


def settings(figures, network=None):
    """All settings, or those of a network, in their order."""
    return list(
        dict.fromkeys(
            group["setting"]
            for group in figures["groups"]
            if network in (None, *group["networks"])
        )
    )
