"""Texts in a CSV file that a spreadsheet would take for formulas.

A program that opens the file would run what `=` or `@` begins, a name of
somebody's file for example. An apostrophe before it makes it a text there.
"""

import re

# As they are read there, with apostrophes that were there already.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write(value):
    """A value as a cell; a text that seems a formula gets an apostrophe."""
    is_formula = isinstance(value, str) and _FORMULA.match(value)
    return f"'{value}" if is_formula else value


def read(text):
    """The text that `write` made a cell of."""
    is_formula = text.startswith("'") and _FORMULA.match(text)
    return text[1:] if is_formula else text
