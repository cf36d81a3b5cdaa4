"""What `keras-resnet data` found or wrote, for the terminal."""

from keras_resnet.data.survey import scanning
from keras_resnet.errors import printable

_LISTED = 20
_CHANGES = ("changed", "relabelled", "missing", "new")


def show(what, lines):
    """Prints how many there are, and the first ones."""
    print(f"{what + ':':<18}{len(lines):,}")
    for line in lines[:_LISTED]:
        print(f"  {line}")
    if len(lines) > _LISTED:
        print(f"  and {len(lines) - _LISTED:,} more")


def place(key, name):
    """An example of a split as text."""
    return f"{key} {printable(name)}"


def show_copies(groups, splits):
    """Prints groups of equal files, and which of them spoil a result.

    Args:
        groups: of `duplicates.Duplicates`.
        splits: {"train": `datasets.Split`, ...}.
    """
    texts = {"duplicates": [], "in both splits": [], "in two classes": []}
    for group in groups:
        text = " = ".join(
            place(
                copy.split, scanning.file_name(splits[copy.split], copy.index)
            )
            for copy in group
        )
        texts["duplicates"].append(text)
        if len({copy.split for copy in group}) > 1:
            texts["in both splits"].append(text)
        if len({copy.label for copy in group}) > 1:
            texts["in two classes"].append(text)
    for what, lines in texts.items():
        show(what, lines)


def show_changes(comparison):
    """Prints what a `manifest.Comparison` found; returns how many."""
    kinds = {kind: getattr(comparison, kind) for kind in _CHANGES}
    for kind, keys in kinds.items():
        show(kind, [place(*key) for key in keys])
    return sum(map(len, kinds.values()))


def show_prepared(done):
    """Prints what a `prepare.Prepared` is, and what shrinking cost."""
    counts = ", ".join(f"{n:,} {key}" for key, n in done.num_examples.items())
    print(
        f"{done.name}: {counts} in {done.folder}"
        + (" (was there; nothing done)" if done.was_there else "")
    )
    if done.savings:
        print(done.savings)
