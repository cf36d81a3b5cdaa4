"""The figures of the inference benchmark: ratios with targets, and tables.

All ratios are of medians of contenders that took turns. A ratio of latencies
is the peer's over ours: above 1 ours is the faster one.
"""

import statistics

from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.inference_networks import FLOAT32
from benchmarks.inference_networks import FORMATS
from benchmarks.inference_networks import INT8
from benchmarks.inference_networks import KERAS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import PYTORCH
from benchmarks.inference_networks import SAVED_MODEL
from benchmarks.inference_networks import SUCCESSOR
from benchmarks.inference_networks import TFLITE_DYNAMIC
from benchmarks.inference_networks import TORCHVISION

# At least as fast as the best peer of the format, and this much faster than
# the file that Keras itself writes.
PEER_TARGET, KERAS_SAVED_MODEL_TARGET = 1.0, 1.15
# int8 over float32: speed, and bytes at most.
INT8_SPEED_TARGET, INT8_SIZE_TARGET = 2.5, 0.25
# Latency of the pre-activation network over the original one's, at most.
SUCCESSOR_TARGET = 1.15
PEERS, SPEEDS = "Ours over its peers", "int8 over float32"
SIZES, NEW = "int8 over float32, bytes", "v2 over v1, latency"
# Sections whose targets are the most that is right, not the least.
AT_MOST = (SIZES, NEW)


def ratios(figures):
    """{section: rows}, a row a dict.

    "network", "ours" and "peer" say what it is of, "cells" are {setting:
    spread}, "target" is a float or None, and "work", of peers, is ours over
    theirs in multiply-adds.
    """
    latencies = _latencies(figures)
    sections = {
        PEERS: _of_peers(figures, latencies),
        SPEEDS: [
            _row(network, ours, whole, over, INT8_SPEED_TARGET)
            for network in figures["networks"]
            for ours, whole in INT8.items()
            for over in [
                _over(
                    latencies.get((network, OURS, whole), {}),
                    latencies.get((network, OURS, ours), {}),
                )
            ]
        ],
        SIZES: _of_sizes(figures),
        NEW: [
            _row(new, name, old, over, SUCCESSOR_TARGET)
            for old, new in [SUCCESSOR]
            for name in FLOAT32
            for over in [
                _over(
                    latencies.get((new, OURS, name), {}),
                    latencies.get((old, OURS, name), {}),
                )
            ]
        ],
    }
    return {
        section: [row for row in rows if row["cells"]]
        for section, rows in sections.items()
    }


def _row(network, ours, peer, cells, target):
    words = {"network": network, "ours": ours, "peer": peer}
    return {**words, "cells": cells, "target": target}


def _latencies(figures):
    """{(network, library, format): {setting: milliseconds, one a round}}."""
    found = {}
    for group in figures["groups"]:
        for row in group["rows"]:
            key = row["network"], row["library"], row["format"]
            of_one = found.setdefault(key, {})
            of_one[group["setting"]] = row["milliseconds"]
    return found


def _over(above, below):
    """{setting: ratio of latencies} of the settings that both have."""
    return {
        setting: measure.ratio(above[setting], milliseconds)
        for setting, milliseconds in below.items()
        if setting in above
    }


def _of_peers(figures, latencies):
    """Ours over the best peer of each format, and of all that are float32."""
    for network, facts in figures["networks"].items():
        counts = facts["multiply_adds"]
        for words, our_formats, library, formats, target in _comparisons():
            ours = _fastest(latencies, network, OURS, our_formats)
            theirs = _fastest(latencies, network, library, formats)
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


def _fastest(latencies, network, library, formats):
    """{setting: milliseconds of the fastest of some formats}."""
    best = {}
    for name in formats:
        of_one = latencies.get((network, library, name), {})
        for setting, milliseconds in of_one.items():
            known = best.get(setting, milliseconds)
            best[setting] = min(known, milliseconds, key=statistics.median)
    return best


def _of_sizes(figures):
    """Bytes of ours in int8 over those in float32."""
    sizes = {
        (row["network"], row["format"]): row["bytes"]
        for row in figures["starts"]
        if row["library"] == OURS
    }
    for (network, name), size in sizes.items():
        whole = sizes.get((network, INT8.get(name)))
        if whole:
            cells = {"size": measure.spread([size / whole])}
            yield _row(network, name, INT8[name], cells, INT8_SIZE_TARGET)


def reached(section, row, value):
    """Whether a number is right, of two digits behind the point."""
    if row["target"] is None:
        return True
    off = round(value, 2) - row["target"]
    return off <= 0 if section in AT_MOST else off >= 0


def report(figures):
    """The section "Inference" of docs/PERFORMANCE.md, and panels."""
    sections = ratios(figures)
    parts = [tables.machine(figures, _protocol(figures)), _summary(sections)]
    for section, rows in sections.items():
        if rows:
            parts += [f"### {section}", _ratio_table(section, rows)]
    for network in figures["networks"]:
        parts += [f"### {network}", *_of_network(figures, network)]
    return parts + tables.missing(figures), _panels(sections[PEERS])


def _protocol(figures):
    of_setting = {
        group["setting"]: f"{group['rounds']} and {group['calls']}"
        for group in figures["groups"]
    }
    amounts = "; ".join(f"{words}: {n}" for words, n in of_setting.items())
    return (
        f"Rounds in turns after one to warm up, and calls of a turn: {amounts}"
    )


def _summary(sections):
    right, perhaps = [], []
    for section, rows in sections.items():
        best = "min" if section in AT_MOST else "max"
        for row in rows:
            for cell in row["cells"].values() if row["target"] else ():
                right.append(reached(section, row, cell["median"]))
                perhaps.append(reached(section, row, cell[best]))
    return (
        f"{sum(right)} of {len(right)} ratios reach their target; those that "
        f"do not are in bold. {sum(perhaps) - sum(right)} of these have the "
        "target within their brackets."
    )


def _ratio_table(section, rows):
    used = dict.fromkeys(name for row in rows for name in row["cells"])
    sign = "<=" if section in AT_MOST else ">="
    columns = {name: (name, "") for name in ("network", "ours", "peer", *used)}
    columns["target"] = (
        lambda row: f"{sign} {row['target']:g}" if row["target"] else "none",
        "",
    )
    if section == PEERS:
        columns["multiply-adds, ours over it"] = ("work", ".2f")
    shown = [
        row | {name: _cell(section, row, name) for name in row["cells"]}
        for row in rows
    ]
    return tables.of_rows(shown, columns)


def _cell(section, row, name):
    spread = row["cells"][name]
    if section == SIZES:
        text = f"{spread['median']:.3f}"
    else:
        text = tables.spread(spread, ".2f")
    right = reached(section, row, spread["median"])
    return text if right else f"**{text}**"


def _of_network(figures, network):
    """A line and a table of all contenders of a network."""
    facts = figures["networks"][network]
    counts = ", ".join(
        f"{library} {count / 1e9:.2f}"
        for library, count in facts["multiply_adds"].items()
    )
    yield (
        f"{facts['image_size']} px; 10^9 multiply-adds of an image: {counts}. "
        "Latency of a call in ms."
    )
    rows = _contenders(figures, network)
    settings = dict.fromkeys(name for row in rows for name in row["settings"])
    columns = {"contender": ("contender", "")}
    columns |= {name: (name, ".3g") for name in settings}
    yield tables.of_rows(rows, columns | START)


START = {
    "file, MB": (lambda row: row["bytes"] / 1e6, ".1f"),
    "load, s": (lambda row: _seconds(row, "build"), ".2f"),
    "first inference, s": (lambda row: _seconds(row, "first_step"), ".2f"),
    "peak, MB": (
        lambda row: statistics.median(
            begun["most_megabytes"] for begun in row["begun"]
        ),
        ",.0f",
    ),
}


def _seconds(row, key):
    return measure.spread([one[key]["wall_seconds"] for one in row["begun"]])


def _contenders(figures, network):
    """Rows with the spread of each setting, in the order of `FORMATS`."""
    latencies, order, rows = _latencies(figures), list(FORMATS), []
    starts = [row for row in figures["starts"] if row["network"] == network]
    for row in sorted(starts, key=lambda row: order.index(row["format"])):
        of_one = latencies[network, row["library"], row["format"]]
        spreads = {name: measure.spread(ms) for name, ms in of_one.items()}
        words = f"{row['library']}, {row['format']}"
        more = {"contender": words, "settings": list(spreads)}
        rows.append(row | more | spreads)
    return rows


def _panels(rows):
    panels = []
    for name in dict.fromkeys(name for row in rows for name in row["cells"]):
        bars = {
            f"{row['network']}: {row['ours']} over {row['peer']}": cell
            for row in rows
            for cell in [row["cells"].get(name)]
            if cell
        }
        unit = "how many times as fast ours is"
        panels.append(pictures.Panel(name, unit, bars, ("as fast", 1.0)))
    return panels
