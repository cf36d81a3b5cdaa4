"""What users see when an argument cannot work."""

import difflib


class UsageError(ValueError):
    """An argument, file or setting that cannot work.

    The message says what was received, what was expected and what to do; the
    commands in `pipelines/` print it alone, without a stack trace.
    """


def require(condition, message):
    """Raises `UsageError(message)` unless `condition` holds."""
    if not condition:
        raise UsageError(message)


def lookup(table, key, what):
    """`table[key]`, or a `UsageError` that names the nearest keys.

    Args:
        table: dict with string keys.
        key: the name that a user gave.
        what: what the table holds, in singular, for the message.
    """
    if isinstance(key, str) and key in table:
        return table[key]
    raise UsageError(unknown(key, table, what))


def unknown(key, known, what):
    """The message for a name that is not among `known`."""
    near = difflib.get_close_matches(str(key).lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"Unknown {what} {key!r}.{hint} Known: {', '.join(known)}. "
        f"Received: {key!r}."
    )
