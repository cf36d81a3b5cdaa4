"""The file of `benchmark.py --json`: a run for each machine and version.

    {"benchmark": NAME,
     "machines": {KEY: {"machine", "amounts", "parts": {GROUP: part}}}}

The run that was measured last comes last. A part is {"seconds",
"load_average", "figures"}: how long a group took, the load before it, and what
it found. An older file has the figures of one run without groups; it is read as
a run of one part.
"""

import functools
import json
import pathlib

from benchmarks import measure

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require


def read(path, name):
    """The record in a file.

    Args:
        path: of what --json wrote.
        name: of its benchmark.

    Raises:
        keras_resnet.UsageError: if it is something else.
    """
    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        of = found["benchmark"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"Figures must be in a file that --json wrote. Received: {path!r}: "
            f"{error}"
        ) from error
    require(
        of == name, f"The figures in {path!r} are of {of!r}, not of {name!r}."
    )
    return found if "machines" in found else _of_before(found)


def _of_before(found):
    """A record of one run, from figures without groups."""
    rest = dict(found)
    name, machine = rest.pop("benchmark"), rest.pop("machine", {})
    run = {"machine": machine, "parts": {"all": {"figures": rest}}}
    return {"benchmark": name, "machines": {key(machine): run}}


def begin(record, machine, amounts):
    """The run of a machine, which becomes the last: the known or an empty one.

    Args:
        record: a record, which is changed.
        machine: of `measure.machine`.
        amounts: how much is measured.

    Raises:
        keras_resnet.UsageError: if that run measured other amounts.
    """
    words, runs = key(machine), record["machines"]
    amounts = json.loads(json.dumps(amounts))  # tuples become lists
    run = runs.pop(words, {"machine": machine, "amounts": amounts, "parts": {}})
    runs[words] = run
    require(
        run["amounts"] == amounts,
        "--json has figures of this machine and commit with other amounts or "
        "flags. Name another file.",
    )
    return run


def write(path, record):
    """Writes a record, whole or not at all."""
    files.write_text(path, json.dumps(record, indent=1) + "\n")


def key(machine):
    """Words for what makes figures comparable: all but the load."""
    said = (
        machine.get("cpu", "unknown"),
        f"{machine.get('cores', '?')} cores",
        " ".join(machine.get("flags", ())),
        ", ".join(map(" ".join, measure.packages(machine).items())),
        machine.get("commit", ""),
    )
    return "; ".join(filter(None, said))


def figures(record, words=None):
    """The figures of a run, its groups put together; by default the last run's.

    Args:
        record: a record.
        words: key of another run.

    Returns:
        {"benchmark", "machine", "amounts"} and what the groups found.
    """
    runs = record["machines"]
    run = runs[words or list(runs)[-1]]
    machine, parts = run["machine"], run["parts"].values()
    loads = [part["load_average"] for part in parts if "load_average" in part]
    if loads:
        machine = {**machine, "load_average": max(loads)}
    found = functools.reduce(_join, (part["figures"] for part in parts), {})
    known = {"benchmark": record["benchmark"], "machine": machine}
    return known | {k: run[k] for k in ("amounts",) if k in run} | found


def _join(one, other):
    """Two parts together: dicts by their keys, lists one after the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        joined = {k: _join(one[k], v) for k, v in other.items() if k in one}
        return {**one, **other, **joined}
    if isinstance(one, list) and isinstance(other, list):
        return one + other
    return other
