"""Figures as Markdown, and the places in documents where they stand."""

import pathlib

from benchmarks import measure

from keras_resnet.errors import require


def table(titles, rows):
    """Lines of a Markdown table, its columns aligned.

    Args:
        titles: words with " | " between.
        rows: lists of words.
    """
    lines = [titles.split(" | ")]
    lines += [[cell.replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )


def of_rows(rows, columns):
    """A table of figures.

    Args:
        rows: list of dicts, or {name: dict} for {"name": name, ...}.
        columns: {title: (key of a row or function of it, format)}. A cell is
            a word, a number or a spread; None and missing values are empty.
    """
    if isinstance(rows, dict):
        rows = [{"name": name, **row} for name, row in rows.items()]
    cells = [
        [_cell(row, value, form) for value, form in columns.values()]
        for row in rows
    ]
    return table(" | ".join(columns), cells)


def _cell(row, value, form):
    found = value(row) if callable(value) else row.get(value)
    if found is None or isinstance(found, str):
        return found or ""
    if isinstance(found, dict):
        return spread(found, form)
    return number(found, form)


def number(value, form):
    """A number by a format: 1,020 in place of ".3g"'s 1.02e+03."""
    said = format(value, form)
    return f"{float(said):,.0f}" if "e+" in said else said


def spread(values, form):
    """'median (least..greatest)' of a spread, each number by `form`."""
    median, low, high = (
        number(values[key], form) for key in ("median", "min", "max")
    )
    return f"{median} ({low}..{high})"


def machine(figures, protocol, spreads=True):
    """A paragraph on where and how figures were taken.

    Args:
        figures: a record with "machine", see `measure.machine`.
        protocol: words on rounds and sizes.
        spreads: whether the figures are spreads.
    """
    machine = figures["machine"]
    flags = " ".join(machine.get("flags", ()))
    cpu = f"{machine['cpu']} ({flags})" if flags else machine["cpu"]
    said = [f"{cpu}, {machine['cores']} cores"]
    said.append(packages(measure.packages(machine)))
    if machine.get("commit"):
        said.append(f"commit {machine['commit']}")
    said.append(f"load {machine['load_average']:.1f} before the run")
    brackets = "; least and greatest in brackets" if spreads else ""
    return f"{'; '.join(said)}. {protocol}{brackets}."


def packages(versions):
    """'name version' of each, in one line."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def missing(figures):
    """A section on what could not be measured and why, as a list; or []."""
    if not figures.get("missing"):
        return []
    rows = list(map(list, figures["missing"].items()))
    return ["### Not measured", table("contender | why", rows)]


class Document:
    """A Markdown file with a place for the tables of a benchmark.

    Raises:
        keras_resnet.UsageError: if there is no such file or place.
    """

    def __init__(self, path, name):
        self._path = pathlib.Path(path)
        first = f"<!-- benchmark {name} -->"
        last = f"<!-- end of benchmark {name} -->"
        require(
            self._path.is_file(), f"--markdown: there is no file {str(path)!r}."
        )
        text = self._path.read_text(encoding="utf-8")
        before, found, rest = text.partition(first)
        _, end, after = rest.partition(last)
        require(
            found and end,
            f"--markdown: {str(path)!r} must have the lines {first!r} and "
            f"{last!r}; the tables go between them.",
        )
        self._around = before + first, last + after

    def replace(self, text):
        """Writes the file with `text` in the place."""
        self._path.write_text(f"\n\n{text}\n\n".join(self._around), "utf-8")
