"""Figures as Markdown."""


def table(titles, rows):
    """Lines of a Markdown table, its columns aligned.

    Args:
        titles: words with " | " between.
        rows: lists of words.
    """
    lines = [titles.split(" | "), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )


def spread(values, form):
    """'median (least..greatest)' of a spread, each number by `form`."""
    median, low, high = (
        format(values[key], form) for key in ("median", "min", "max")
    )
    return f"{median} ({low}..{high})"


def of_rows(rows, columns):
    """A table of figures.

    Args:
        rows: list of dicts, or {name: dict} for {"name": name, ...}.
        columns: {title: (key of a row or function of it, format)}. A cell is
            a word, a number or a spread; None and what is missing are empty.
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
    return format(found, form)


def machine(figures, protocol):
    """A paragraph on where and how figures were taken.

    Args:
        figures: a record with "machine", see `measure.machine`.
        protocol: words on rounds and sizes.
    """
    machine = figures["machine"]
    # Records of before named two packages only.
    names = machine.get("packages") or {
        key: machine[key] for key in ("tensorflow", "pillow")
    }
    packages = ", ".join(f"{name} {number}" for name, number in names.items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores; {packages}; load "
        f"{machine['load_average']:.1f} before the run. {protocol}; least and "
        "greatest in brackets."
    )


def missing(figures):
    """What could not be measured and why: a section, or none: a list."""
    if not figures.get("missing"):
        return []
    rows = {name: {"why": why} for name, why in figures["missing"].items()}
    columns = {"contender": ("name", ""), "why": ("why", "")}
    return ["### Not measured", of_rows(rows, columns)]
