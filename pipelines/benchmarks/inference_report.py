"""The figures of the inference benchmark as tables and panels."""

import statistics

from benchmarks import inference_ratios as ratios
from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.inference_networks import FORMATS


def report(figures):
    """The section "Inference" of docs/PERFORMANCE.md, and panels."""
    if "groups" not in figures:  # exported, not measured yet
        return tables.missing(figures), []
    sections = ratios.ratios(figures)
    of_setting = {
        group["setting"]: f"{group['rounds']} and {group['calls']}"
        for group in figures["groups"]
    }
    amounts = "; ".join(f"{words}: {n}" for words, n in of_setting.items())
    protocol = (
        f"Rounds in turns after one to warm up, and calls of a turn: {amounts}"
    )
    parts = [tables.machine(figures, protocol), _summary(sections)]
    for section, rows in sections.items():
        if rows:
            parts += [f"### {section}", _ratio_table(section, rows)]
    for network in figures["networks"]:
        parts += [f"### {network}", *_of_network(figures, network)]
    return parts + tables.missing(figures), _panels(sections[ratios.PEERS])


def _summary(sections):
    right, perhaps = [], []
    for section, rows in sections.items():
        best = "min" if section in ratios.AT_MOST else "max"
        for row in rows:
            for cell in row["cells"].values() if row["target"] else ():
                right.append(ratios.reached(section, row, cell["median"]))
                perhaps.append(ratios.reached(section, row, cell[best]))
    return (
        f"{sum(right)} of {len(right)} ratios reach their target; those that "
        f"missed it are in bold. {sum(perhaps) - sum(right)} of these have the "
        "target within their brackets."
    )


def _ratio_table(section, rows):
    used = dict.fromkeys(name for row in rows for name in row["cells"])
    sign = "<=" if section in ratios.AT_MOST else ">="
    columns = {name: (name, "") for name in ("network", "ours", "peer", *used)}
    columns["target"] = (
        lambda row: f"{sign} {row['target']:g}" if row["target"] else "none",
        "",
    )
    if section == ratios.PEERS:
        columns["multiply-adds, ours over it"] = ("work", ".2f")
    shown = [
        row | {name: _cell(section, row, name) for name in row["cells"]}
        for row in rows
    ]
    return tables.of_rows(shown, columns)


def _cell(section, row, name):
    spread = row["cells"][name]
    if section == ratios.SIZES:
        text = f"{spread['median']:.3f}"
    else:
        text = tables.spread(spread, ".2f")
    right = ratios.reached(section, row, spread["median"])
    return text if right else f"**{text}** missed"


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
            measure.column(row["begun"], "most_megabytes")
        ),
        ",.0f",
    ),
}


def _seconds(row, key):
    return measure.spread([one[key]["wall_seconds"] for one in row["begun"]])


def _contenders(figures, network):
    """Rows with the spread of each setting, in the order of `FORMATS`."""
    latencies, rows = ratios.latencies(figures), []
    order = list(FORMATS)
    starts = [r for r in ratios.starts(figures) if r["network"] == network]
    for row in sorted(starts, key=lambda row: order.index(row["format"])):
        of_one = latencies[network, row["library"], row["format"]]
        spreads = {name: measure.spread(ms) for name, ms in of_one.items()}
        words = f"{row['library']}, {row['format']}"
        more = {"contender": words, "settings": list(spreads)}
        rows.append(row | more | spreads)
    return rows


def _panels(rows):
    """A panel for each size of a batch, a bar for each format and peer.

    A bar is the median over networks and numbers of threads.
    """
    bars = {}
    for row in rows:
        name = "{ours}\nover {peer}".format(**row)
        for setting, cell in row["cells"].items():
            of_batch = bars.setdefault(setting.partition(",")[0], {})
            of_batch.setdefault(name, []).append(cell["median"])
    return [
        pictures.Panel(
            f"{batch}: all networks, 1 and 2 threads",
            "how many times as fast ours is: median, least to greatest",
            {name: measure.spread(found) for name, found in of.items()},
            ("as fast", 1.0),
            ratios=True,
        )
        for batch, of in bars.items()
    ]
