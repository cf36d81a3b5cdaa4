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
