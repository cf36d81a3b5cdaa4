"""What users see when an argument cannot work."""

import dataclasses
import difflib
import math
import os
import unicodedata


class UsageError(ValueError):
    """An argument, file or setting that cannot work.

    The message says what was received, what was expected and what to do; the
    commands print it alone, without a stack trace.
    """


class DivergedError(UsageError):
    """The loss or a variable is not finite.

    Args:
        what: what is not finite, in words.
        step: int, counted from 1, where it was seen.
        newest: () -> a sentence on the newest checkpoint.
    """

    def __init__(self, what, step, newest):
        super().__init__(
            f"{what} at step {step}: the run has diverged. {newest()} In "
            "another --workdir try a lower --learning_rate, a warm-up "
            "(--warmup_steps=400), or --dtype=float32 if it was another; if "
            "it happens at once, look at the data (keras-resnet data inspect)."
        )


def require(condition, message):
    """Raises `UsageError(message)` unless `condition` holds."""
    if not condition:
        raise UsageError(message)


# Control characters, surrogates, line ends, and characters that change the
# direction of text. Other invisible characters of Unicode do no harm.
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def printable(text):
    """The name of a user's file or class, as one line for a terminal.

    Characters that would control the terminal, and bytes that are not UTF-8,
    become escapes, as in Python and shells.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(escape(c) if _is_unsafe(c) else c for c in text)


def printable_lines(text):
    """`printable` for a text that keeps its line breaks."""
    return "\n".join(map(printable, str(text).split("\n")))


def _is_unsafe(character):
    return character in _TURNS or unicodedata.category(character) in _UNSAFE


def escape(character):
    """The escape of a character, or of a byte that is not UTF-8."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def first_line(error):
    """The first line of an error's message; its type if there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def lookup(table, key, what):
    """`table[key]`, or a `UsageError` that names the nearest keys.

    Args:
        table: dict with string keys.
        key: the name that a user gave.
        what: what the table holds, in singular, for the message.
    """
    if isinstance(key, str) and key in table:
        return table[key]
    near = nearest(key, table)
    hint = f" Did you mean {near!r}?" if near else ""
    raise UsageError(
        f"Unknown {what} {key!r}.{hint} Known: {', '.join(table)}. "
        f"Received: {key!r}."
    )


def register(table, name, row, what):
    """Adds a row to a table of names, for our own modules and for users.

    The same row may be added again, as when a notebook cell runs twice.

    Args:
        table: dict with string keys; changed.
        name: str, of the row.
        row: what the name stands for.
        what: what the table holds, in singular, for the message.

    Raises:
        UsageError: if the name is not a string, or stands for something else.
    """
    require(
        isinstance(name, str) and name,
        f"The name of a {what} must be a text. Received: {name!r}.",
    )
    require(
        name not in table or _is_same(table[name], row),
        f"There is a {what} {name!r} already: a change of it would change "
        f"what others mean by the name. Choose another. Received: {name!r}.",
    )
    table[name] = row


def _is_same(row, other):
    """Whether two rows are equal, or one definition executed twice."""
    if dataclasses.is_dataclass(row) and type(row) is type(other) is not type:
        names = [field.name for field in dataclasses.fields(row)]
        return all(_is_same(getattr(row, n), getattr(other, n)) for n in names)
    name = getattr(row, "__qualname__", "<lambda>")
    return row == other or (
        "<lambda>" not in name
        and name == getattr(other, "__qualname__", None)
        and row.__module__ == other.__module__
    )


def nearest(name, known):
    """The name among `known` that looks most like `name`, or None."""
    known = list(known)
    folded = {_fold(candidate): candidate for candidate in reversed(known)}
    name = _fold(str(name).lower())
    found = difflib.get_close_matches(name, folded, n=5, cutoff=0.5)

    def likeness(candidate):
        ratio = difflib.SequenceMatcher(None, name, candidate).ratio()
        return ratio, len(os.path.commonprefix([name, candidate]))

    return folded[max(found, key=likeness)] if found else None


def _fold(name):
    """Turns letters mistaken for digits into digits: resnet5O, resnetl8."""
    return name.replace("o", "0").replace("l", "1")


# What TensorFlow's integers and floats can hold.
_INT = 2**63
_FLOAT = 3.4028235e38


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, float) or _is_int(value)


def _are_ints(value):
    return isinstance(value, (tuple, list)) and all(map(_is_int, value))


# {annotation: (the type in words, whether a value has it)}.
_TYPES = {
    int: ("a whole number", _is_int),
    float: ("a number", _is_number),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    str: ("a text", lambda value: isinstance(value, str)),
    dict: ("an object", lambda value: isinstance(value, dict)),
    float | None: ("a number", lambda v: v is None or _is_number(v)),
    tuple[int, ...]: ("whole numbers, as (350, 500)", _are_ints),
}


def check_types(instance):
    """Refuses a value of another type than its field's.

    Args:
        instance: a dataclass instance whose annotations are keys of `_TYPES`.

    Raises:
        keras_resnet.UsageError: names the field, the type and the value.
    """
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        what, is_one = _TYPES[field.type]
        require(
            is_one(value),
            f"{field.name} must be {what}. Received: {_short(value)} "
            f"({type(value).__name__}).",
        )
        for number in value if isinstance(value, (tuple, list)) else [value]:
            _check_range(field.name, number)


def _check_range(name, value):
    if _is_int(value):
        require(
            abs(value) < _INT,
            f"{name} must be below 2**63. Received: {_short(value)}.",
        )
    elif isinstance(value, float):
        require(
            math.isfinite(value) and abs(value) <= _FLOAT,
            f"{name} must be finite, as float32 too. Received: {value}.",
        )


def _short(value):
    # Python refuses to write out an integer of thousands of digits.
    try:
        text = repr(value)
    except ValueError as error:
        text = str(error)
    return text if len(text) <= 80 else f"{text[:77]}..."
