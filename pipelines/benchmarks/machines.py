"""Tables that hold the runs of several machines side by side."""

from benchmarks import measure
from benchmarks import records
from benchmarks import tables


def side_by_side(record, report):
    """Paragraphs on the runs of a record: none if no figure differs.

    Args:
        record: see `records`.
        report: figures -> (paragraphs, panels), of the benchmark; what its
            panels draw is compared.
    """
    words = list(record["machines"])
    bars = _bars(record, words, report)
    if not bars:
        return []
    columns = {"": ("number", ""), **MACHINE}
    runs = [
        {"number": str(number), **record["machines"][one]["machine"]}
        for number, one in enumerate(words, 1)
    ]
    return [
        "### Machines",
        "The tables above are of the last machine.",
        tables.of_rows(runs, columns),
        "### Side by side",
        tables.of_rows(bars, _columns(words)),
    ]


MACHINE = {
    "processor": ("cpu", ""),
    "cores": ("cores", "d"),
    "flags": (lambda row: " ".join(row.get("flags", ())) or "not noted", ""),
    "packages": (lambda row: tables.packages(measure.packages(row)), ""),
    "commit": (lambda row: row.get("commit") or "not noted", ""),
}


def _bars(record, words, report):
    """A row for each bar of any run, unless all runs have the same there.

    Those were computed, not measured.
    """
    rows = {}
    for number, one in enumerate(words, 1):
        for panel in report(records.figures(record, one))[1]:
            for name, spread in panel.bars.items():
                row = rows.setdefault((panel.title, name), {"name": name})
                row |= {"title": panel.title, str(number): spread}
    numbers = [str(number) for number, _ in enumerate(words, 1)]
    return [
        row
        for row in rows.values()
        if any(row.get(n) != row.get(numbers[0]) for n in numbers)
    ]


def _columns(words):
    columns = {"figure": ("title", ""), "contender": ("name", "")}
    return columns | {str(n): (str(n), ".3g") for n, _ in enumerate(words, 1)}
