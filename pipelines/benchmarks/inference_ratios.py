"""Ratios of the inference benchmark, and their targets.

All compare medians of contenders that took turns. A ratio of latencies is the
peer's over ours: above 1, ours is faster.
"""

import statistics

from benchmarks import measure
from benchmarks.inference_networks import BFLOAT16
from benchmarks.inference_networks import FLOAT32
from benchmarks.inference_networks import FROZEN
from benchmarks.inference_networks import INT8
from benchmarks.inference_networks import KERAS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import PYTORCH
from benchmarks.inference_networks import SAVED_MODEL
from benchmarks.inference_networks import SAVED_MODEL_BFLOAT16
from benchmarks.inference_networks import SUCCESSOR
from benchmarks.inference_networks import TFLITE_DYNAMIC
from benchmarks.inference_networks import TORCHVISION

# At least as fast as the best peer of the format, and this much faster than
# the file that Keras itself writes.
PEER_TARGET, KERAS_SAVED_MODEL_TARGET = 1.0, 1.15
# int8 over float32: speed, and bytes at most.
INT8_SPEED_TARGET, INT8_SIZE_TARGET = 2.5, 0.25
# bfloat16 over float32, for one image and for batches.
BFLOAT16_TARGETS = {"batch 1,": 1.15, "batch ": 1.4}
# Latency of the pre-activation network over the original one's, at most.
SUCCESSOR_TARGET = 1.15
PEERS, SPEEDS = "Ours over its peers", "int8 over float32"
SIZES, NEW = "int8 over float32, bytes", "v2 over v1, latency"
HALVES, CONSTANTS = "bfloat16 over float32", "Frozen over not frozen"
# Sections whose targets are the most that is right, not the least.
AT_MOST = (SIZES, NEW)


def ratios(figures):
    """{section: rows}, a row a dict.

    "network", "ours" and "peer" name what is compared, "cells" are {setting:
    spread}, "target" is a float or None. A row of `PEERS` has "work" too, our
    multiply-adds over theirs.
    """
    found = latencies(figures)
    sections = {
        PEERS: _of_peers(figures, found),
        HALVES: _of_bfloat16(figures, found),
        CONSTANTS: _of_pairs(figures, found, FROZEN, None),
        SPEEDS: _of_pairs(figures, found, INT8, INT8_SPEED_TARGET),
        SIZES: _of_sizes(figures),
        NEW: _of_successor(found, *SUCCESSOR),
    }
    return {
        section: [row for row in rows if row["cells"]]
        for section, rows in sections.items()
    }


def _row(network, ours, peer, cells, target):
    words = {"network": network, "ours": ours, "peer": peer}
    return {**words, "cells": cells, "target": target}


def latencies(figures):
    """{(network, library, format): {setting: milliseconds, one a round}}."""
    found = {}
    for group in figures["groups"]:
        for row in group["rows"]:
            key = row["network"], row["library"], row["format"]
            of_one = found.setdefault(key, {})
            of_one[group["setting"]] = row["milliseconds"]
    return found


def starts(figures):
    """What a process of each contender took, from its first group."""
    found = {}
    for row in figures["starts"]:
        key = row["network"], row["library"], row["format"]
        found.setdefault(key, row)
    return list(found.values())


def _over(above, below):
    """{setting: ratio of latencies} of the settings that both have."""
    return {
        setting: measure.ratio(above[setting], milliseconds)
        for setting, milliseconds in below.items()
        if setting in above
    }


def _of_peers(figures, found):
    """Ours over the best peer of each format, and of all that are float32."""
    for network, facts in figures["networks"].items():
        counts = facts["multiply_adds"]
        for words, our_formats, library, formats, target in _comparisons():
            ours = _fastest(found, network, OURS, our_formats)
            theirs = _fastest(found, network, library, formats)
            if ours and theirs:
                row = _row(network, *words, _over(theirs, ours), target)
                yield row | {"work": counts[OURS] / counts[library]}


def _comparisons():
    """((ours, peer), our formats, library, its formats, target) of each."""
    for name in (*FLOAT32, TFLITE_DYNAMIC):
        for library in (KERAS, TORCHVISION):
            keras_file = (name, library) == (SAVED_MODEL, KERAS)
            target = KERAS_SAVED_MODEL_TARGET if keras_file else PEER_TARGET
            yield (name, library), [name], library, [name], target
    words = SAVED_MODEL, "PyTorch, the faster way"
    yield words, [SAVED_MODEL], TORCHVISION, PYTORCH, None
    for library in (KERAS, TORCHVISION):
        words = "our fastest float32", f"{library}, its fastest"
        yield words, FLOAT32, library, (*FLOAT32, *PYTORCH), PEER_TARGET


def _fastest(found, network, library, formats):
    """{setting: milliseconds of the fastest of some formats}."""
    best = {}
    for name in formats:
        of_one = found.get((network, library, name), {})
        for setting, milliseconds in of_one.items():
            known = best.get(setting, milliseconds)
            best[setting] = min(known, milliseconds, key=statistics.median)
    return best


def _of_pairs(figures, found, pairs, target):
    """Our files of one format over those of another, network by network."""
    for network in figures["networks"]:
        for ours, whole in pairs.items():
            below = found.get((network, OURS, ours), {})
            cells = _over(found.get((network, OURS, whole), {}), below)
            yield _row(network, ours, whole, cells, target)


def _of_bfloat16(figures, found):
    """Rows for one image and rows for batches, whose targets differ."""
    for row in _of_pairs(figures, found, BFLOAT16, None):
        cells = row["cells"]
        for start, target in BFLOAT16_TARGETS.items():
            mine = {s: cells.pop(s) for s in [*cells] if s.startswith(start)}
            promised = target if row["ours"] == SAVED_MODEL_BFLOAT16 else None
            yield {**row, "cells": mine, "target": promised}


def _of_successor(found, old, new):
    """Latencies of the new network over the old one's."""
    for name in FLOAT32:
        below = found.get((old, OURS, name), {})
        cells = _over(found.get((new, OURS, name), {}), below)
        yield _row(new, name, old, cells, SUCCESSOR_TARGET)


def _of_sizes(figures):
    """Bytes of ours in int8 over those in float32."""
    sizes = {
        (row["network"], row["format"]): row["bytes"]
        for row in starts(figures)
        if row["library"] == OURS
    }
    for (network, name), size in sizes.items():
        whole = sizes.get((network, INT8.get(name)))
        if whole:
            cells = {"size": measure.spread([size / whole])}
            yield _row(network, name, INT8[name], cells, INT8_SIZE_TARGET)


def reached(section, row, value):
    """Whether a number reaches its target, rounded to two decimals."""
    if row["target"] is None:
        return True
    off = round(value, 2) - row["target"]
    return off <= 0 if section in AT_MOST else off >= 0
