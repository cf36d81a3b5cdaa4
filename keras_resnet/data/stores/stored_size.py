"""The size to which `data prepare` shrank pictures, noted in a data set.

TFDS keeps a description of every data set; the note is a sentence in it.
"""

import re

_NOTE = "Larger pictures were shrunk to a shorter side of {} pixels."


def description(name, shorter_side=None):
    """The description that TFDS keeps of a data set of image files."""
    note = " " + _NOTE.format(shorter_side) if shorter_side else ""
    return f"Image files, {name}.{note}"


def of(builder):
    """The shorter side, int, that a builder of TFDS notes; None if none."""
    pattern = re.escape(_NOTE).replace(re.escape("{}"), r"(\d+)")
    found = re.search(pattern, builder.info.description or "")
    return int(found[1]) if found else None
