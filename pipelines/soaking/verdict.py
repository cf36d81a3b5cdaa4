"""How a case ends."""

import pathlib
import traceback

_ROOT = pathlib.Path(__file__).resolve().parents[2]

RIGHT, REFUSED, FAULT = ENDS = ("right", "refused", "fault")


class Fault(Exception):
    """A case did something that it may not do; the message says what."""


def check(condition, message):
    """Raises `Fault(message)` unless `condition` holds."""
    if not condition:
        raise Fault(message)


def of(judge):
    """(one of `ENDS`, why in a line) of a call.

    Args:
        judge: function of () that raises `Fault` where the outcome is wrong.
            A `UsageError` refuses; any other error is a fault.
    """
    from keras_resnet.errors import UsageError

    try:
        judge()
    except UsageError as error:
        return REFUSED, line(error)
    except Fault as error:
        return FAULT, line(error)
    except Exception as error:  # a user would see a traceback
        what = f"{type(error).__name__} at {_place(error)}: {line(error)}"
        return FAULT, f"traceback: {what}"
    return RIGHT, ""


def _place(error):
    """Where the last of our own functions was: "formats.py:120"."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        # AutoGraph's copies of our functions have no path.
        if frame.filename.startswith(
            (f"{_ROOT}/keras_resnet", f"{_ROOT}/pipelines")
        )
    ]
    return f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}"


def line(error, length=300):
    """What an error says, in one line of at most `length` characters."""
    return " ".join(str(error).split())[:length]
