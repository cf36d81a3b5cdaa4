"""The figures of the inference benchmark as tables."""

from benchmarks import inference_contenders as contenders
from benchmarks import inference_ratios as ratios
from benchmarks import measure
from benchmarks import tables


def markdown(figures):
    """The tables of the section "Inference" of docs/PERFORMANCE.md.

    Args:
        figures: dict of `inference_benchmark.run`.
    """
    parts = [_machine(figures), _summary(figures)]
    parts += ["### Ours over its peers", _peers(figures)]
    parts += ["### int8 over float32", _int8(figures)]
    parts += ["### v2 over v1, latency", _successor(figures)]
    for network in figures["networks"]:
        parts += [_heading(figures, network), _contenders(figures, network)]
    if figures["missing"]:
        parts += ["### Not measured", _missing(figures["missing"])]
    return "\n\n".join(part for part in parts if part)


def _machine(figures):
    machine = figures["machine"]
    packages = ", ".join(
        f"{name} {version}" for name, version in machine["packages"].items()
    )
    return (
        f"{machine['cpu']}, {machine['cores']} cores; {packages}; load "
        f"{machine['load_average']:.1f} before the run. Rounds in turns after "
        f"one to warm up, and calls of a turn: {_amounts(figures)}. Least and "
        "greatest in brackets."
    )


def _amounts(figures):
    """Rounds and calls of each setting."""
    of_setting = {
        group["setting"]: f"{group['rounds']} and {group['calls']}"
        for group in figures["groups"]
    }
    return "; ".join(f"{words}: {n}" for words, n in of_setting.items())


def _summary(figures):
    counts = [
        row.counts()
        for function in (
            ratios.of_peers,
            ratios.of_int8,
            ratios.of_sizes,
            ratios.of_successor,
        )
        for row in function(figures)
    ]
    right, perhaps, total = map(sum, zip(*counts, strict=True))
    return (
        f"{right} of {total} ratios reach their target; those that do not are "
        f"in bold. {perhaps} of these have the target within their brackets."
    )


def _ratio_table(figures, titles, rows, more=()):
    """Rows of ratios; `more`: further cells of each."""
    settings = ratios.settings(figures)
    used = [s for s in settings if any(s in row.cells for row in rows)]
    lines = [
        [*row.words, *(_cell(row, row.cells.get(s)) for s in used)]
        + [_target(row)]
        for row in rows
    ]
    lines = [[*line, *cells] for line, cells in _pairs(lines, more)]
    titles = " | ".join([*titles[0], *used, "target", *titles[1]])
    return tables.table(titles, lines)


def _pairs(lines, more):
    return zip(lines, more or [()] * len(lines), strict=True)


def _cell(row, spread):
    if spread is None:
        return ""
    text = tables.spread(spread, ".2f")
    return text if row.reached(spread["median"]) else f"**{text}**"


def _target(row):
    if row.target is None:
        return "none"
    sign = "<=" if row.at_most else ">="
    return f"{sign} {row.target:g}"


def _peers(figures):
    rows = ratios.of_peers(figures)
    more = [[_work(figures, row)] for row in rows]
    titles = ("network", "ours", "peer"), ("multiply-adds, ours over it",)
    return _ratio_table(figures, titles, rows, more)


def _work(figures, row):
    """Ours over the peer's, who may have an easier task."""
    network, _, peer = row.words
    counts = figures["networks"][network]["multiply_adds"]
    keras_is_it = peer.startswith(contenders.KERAS)
    library = contenders.KERAS if keras_is_it else contenders.TORCHVISION
    return f"{counts[contenders.OURS] / counts[library]:.2f}"


def _int8(figures):
    sizes = {row.words: row for row in ratios.of_sizes(figures)}
    rows = ratios.of_int8(figures)
    more = []
    for row in rows:
        size = sizes[row.words]
        value = size.cells["size"]["median"]
        text = f"{value:.3f}"
        more.append([text if size.reached(value) else f"**{text}**"])
    titles = ("network", "ours"), (f"size, target <= {ratios.INT8_SIZE:g}",)
    return _ratio_table(figures, titles, rows, more)


def _successor(figures):
    titles = ("ours",), ()
    return _ratio_table(figures, titles, ratios.of_successor(figures))


def _heading(figures, network):
    facts = figures["networks"][network]
    counts = ", ".join(
        f"{library} {count / 1e9:.2f}"
        for library, count in facts["multiply_adds"].items()
    )
    return (
        f"### {network}\n\n{facts['image_size']} px; 10^9 multiply-adds of an "
        f"image: {counts}. Latency of a call in ms."
    )


def _contenders(figures, network):
    found = ratios.latencies(figures)
    starts = {
        (row["network"], row["library"], row["format"]): row
        for row in figures["starts"]
    }
    settings = ratios.settings(figures, network)
    rows = []
    for contender in contenders.CONTENDERS:
        key = network, contender.library, contender.format
        if key in found:
            cells = [_latency(found[key].get(s)) for s in settings]
            rows.append([str(contender), *cells, *_start(starts[key])])
    titles = ["contender", *settings, "file, MB", "load, s"]
    titles += ["first inference, s", "peak, MB"]
    return tables.table(" | ".join(titles), rows)


def _latency(milliseconds):
    if milliseconds is None:
        return ""
    return tables.spread(measure.spread(milliseconds), ".3g")


def _start(row):
    load, first = (
        [begun[key]["wall_seconds"] for begun in row["begun"]]
        for key in ("build", "first_step")
    )
    most = [begun["most_megabytes"] for begun in row["begun"]]
    return [
        f"{row['bytes'] / 1e6:.1f}",
        tables.spread(measure.spread(load), ".2f"),
        tables.spread(measure.spread(first), ".2f"),
        f"{measure.spread(most)['median']:,.0f}",
    ]


def _missing(missing):
    # The end of what a process printed may be long.
    return tables.table(
        "what | why",
        [[name, why.strip().splitlines()[-1]] for name, why in missing.items()],
    )
