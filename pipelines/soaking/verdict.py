"""How a case ends."""

import dataclasses
import pathlib
import traceback

_ROOT = pathlib.Path(__file__).resolve().parents[2]

RIGHT, REFUSED, FAULT = "right", "refused", "fault"
ENDS = (RIGHT, REFUSED, FAULT)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The end of a case.

    Attributes:
        end: one of `ENDS`.
        why: what a refusal said, or what the fault is; one line.
    """

    end: str
    why: str = ""


class Fault(Exception):
    """What a case did is not what it may do; the message says what."""


def check(condition, message):
    """Raises `Fault(message)` unless `condition` holds."""
    if not condition:
        raise Fault(message)


def of(judge):
    """The `Verdict` of a call: right, refused by a `UsageError`, or a fault.

    Args:
        judge: function of () that raises `Fault` where the outcome is wrong.
    """
    from keras_resnet.errors import UsageError

    try:
        judge()
    except UsageError as error:
        return Verdict(REFUSED, line(error))
    except Fault as error:
        return Verdict(FAULT, line(error))
    except Exception as error:  # a user would see a traceback
        what = f"{type(error).__name__} at {_place(error)}: {line(error)}"
        return Verdict(FAULT, f"traceback: {what}")
    return Verdict(RIGHT)


def _place(error):
    """Where the last of our own functions was: "formats.py:120"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(frame.filename)]
    return f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _is_ours(path):
    # AutoGraph's copies of our functions have no path.
    return path.startswith((f"{_ROOT}/keras_resnet", f"{_ROOT}/pipelines"))


def line(error, length=300):
    """What an error says, in one line that is not long."""
    return " ".join(str(error).split())[:length]
