"""What a class may be called, and how names are written: one rule for all.

Names become the lines of labels.txt, strings inside SavedModel and TFLite
files, parts of file names and words on a page. A name that one of these cannot
hold, or a reader cannot see, is refused everywhere.
"""

import collections
import unicodedata

from keras_resnet.errors import UsageError
from keras_resnet.errors import escape
from keras_resnet.errors import require

LONGEST = 255  # characters; no file system has longer names of folders

# Control characters, surrogates, separators of lines and of paragraphs: all
# that `str.splitlines` splits at, and what is no text.
_REFUSED = ("Cc", "Cs", "Zl", "Zp")

# It would vanish from the start of a file.
_BYTE_ORDER_MARK = "\ufeff"

_RULE = (
    f"A class name has 1 to {LONGEST} characters, none of which ends a line "
    "or controls a terminal, and no blank at its ends; no two are the same."
)


def check(names, where):
    """Refuses names that break the rule.

    Args:
        names: of the classes 0, 1, ...
        where: what has these names, for the message.

    Raises:
        keras_resnet.UsageError: names the first class that does.
    """
    seen = {}
    for index, name in enumerate(names):
        wrong = _problem(name)
        if wrong is None and seen.setdefault(name, index) != index:
            wrong = f"is the name of class {seen[name]} too"
        require(
            wrong is None,
            f"Class {index} of {where} cannot be called {shown(name)}: it "
            f"{wrong}. {_RULE} Rename it.",
        )


def _problem(name):
    if not isinstance(name, str):
        return "is no text"
    if not name:
        return "is empty"
    if name != name.strip():
        return "begins or ends with a blank"
    if len(name) > LONGEST:
        return f"has {len(name)} characters"
    if any("\udc80" <= c <= "\udcff" for c in name):
        return "is not UTF-8"
    refused = [c for c in name if unicodedata.category(c) in _REFUSED]
    if _BYTE_ORDER_MARK in name or refused:
        code = ord(refused[0] if refused else _BYTE_ORDER_MARK)
        return f"holds the character U+{code:04X}"
    return None


def alike(names):
    """Names that are equal for other systems, by case or by Unicode's forms.

    Args:
        names: of the classes.

    Returns:
        list of pairs of them.
    """
    seen, pairs = {}, []
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        if seen.setdefault(key, name) != name:
            pairs.append((seen[key], name))
    return pairs


def check_same(model_classes, data_classes, data_name):
    """Refuses data whose classes are not a model's, in the same order.

    Args:
        model_classes, data_classes: class names.
        data_name: of the data set, for the message.

    Raises:
        keras_resnet.UsageError: if they differ.
    """
    if tuple(model_classes) == tuple(data_classes):
        return
    extra = [name for name in data_classes if name not in model_classes]
    lacking = [name for name in model_classes if name not in data_classes]
    raise UsageError(
        f"The model has {len(model_classes)} classes and {data_name} has "
        f"{len(data_classes)}, which are not the same. "
        f"Only in the data: {_few(extra)}. Only in the model: {_few(lacking)}."
    )


def _few(names):
    shown = ", ".join(map(repr, names[:5])) or "none"
    return shown + (", ..." if len(names) > 5 else "")


def shown(name):
    """A name in quotes, with what cannot be printed as escapes.

    Bytes of a file name that is not UTF-8 become \\xNN, as a shell has them.
    """
    text = str(name)
    text = text if len(text) <= 80 else text[:77] + "..."
    return (
        "'" + "".join(c if c.isprintable() else escape(c) for c in text) + "'"
    )


def told_apart(names):
    """Names, with the class's index in those that occur more than once.

    >>> told_apart(["crane", "tench", "crane"])
    ("crane (0)", "tench", "crane (2)")
    """
    names = list(names)
    count = collections.Counter(names)
    return tuple(
        f"{name} ({index})" if count[name] > 1 else name
        for index, name in enumerate(names)
    )


def text(names):
    """The content of labels.txt: one name per line."""
    return "".join(f"{name}\n" for name in names)


def lines(data, path):
    """The lines of a labels.txt, whatever editor wrote it.

    A byte-order mark is no part of the first line, and a carriage return no
    part of any. A last line without a line end counts too.

    Args:
        data: bytes of the file.
        path: of the file, for the message.

    Returns:
        list of str, not checked.

    Raises:
        keras_resnet.UsageError: if it is not UTF-8.
    """
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{str(path)!r} must be UTF-8, a class name a line. Received: "
            f"{error}."
        ) from error
    found = content.replace("\r\n", "\n").split("\n")
    return found if found[-1] else found[:-1]
