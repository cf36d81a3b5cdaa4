"""Texts in a CSV file that a spreadsheet would take for formulas.

A program that opens the file would run a cell that begins with `=` or `@`,
such as the name of somebody's file. An apostrophe in front makes it a text.
"""

import re

# Also after apostrophes of the text's own, so that `read` undoes `write`.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write(value):
    """A value as a cell; an apostrophe precedes what looks like a formula."""
    is_formula = isinstance(value, str) and _FORMULA.match(value)
    return f"'{value}" if is_formula else value


def read(text):
    """The text from which `write` made a cell."""
    is_formula = text.startswith("'") and _FORMULA.match(text)
    return text[1:] if is_formula else text
