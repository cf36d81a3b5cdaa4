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
    runs = {str(n): one for n, one in enumerate(record["machines"], 1)}
    bars = _bars(record, runs, report)
    if not bars:
        return []
    machines = [
        {"number": number, **record["machines"][one]["machine"]}
        for number, one in runs.items()
    ]
    columns = {"figure": ("title", ""), "contender": ("name", "")}
    columns |= {number: (number, ".3g") for number in runs}
    return [
        "### Machines",
        "The tables above are of the last machine.",
        tables.of_rows(machines, {"": ("number", ""), **MACHINE}),
        "### Side by side",
        tables.of_rows(bars, columns),
    ]


MACHINE = {
    "processor": ("cpu", ""),
    "cores": ("cores", "d"),
    "flags": (lambda row: " ".join(row.get("flags", ())) or "not noted", ""),
    "packages": (lambda row: tables.packages(measure.packages(row)), ""),
    "commit": (lambda row: row.get("commit") or "not noted", ""),
}


def _bars(record, runs, report):
    """A row for each bar of any run, unless the bar is equal in all runs.

    Equal bars were computed, not measured.
    """
    rows = {}
    for number, one in runs.items():
        for panel in report(records.figures(record, one))[1]:
            for name, spread in panel.bars.items():
                row = rows.setdefault((panel.title, name), {"name": name})
                row |= {"title": panel.title, number: spread}
    return [
        row
        for row in rows.values()
        if any(row.get(number) != row.get("1") for number in runs)
    ]
