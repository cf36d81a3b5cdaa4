"""What users see when an argument cannot work."""

import difflib
import os


class UsageError(ValueError):
    """An argument, file or setting that cannot work.

    The message says what was received, what was expected and what to do; the
    commands in `pipelines/` print it alone, without a stack trace.
    """


class DivergedError(UsageError):
    """The loss or a variable is not finite.

    Args:
        what: what is not, in words.
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
    """Letters that are taken for digits become digits: resnet5O, resnetl8."""
    return name.replace("o", "0").replace("l", "1")
