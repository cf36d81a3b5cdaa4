"""Counts of all campaigns: docs/results/soak.json and the table made of it."""

import collections
import datetime
import json
import os
import pathlib
import platform

from benchmarks import measure
from benchmarks import tables
from soaking import verdict

from keras_resnet import files
from keras_resnet.training import processor

_FAULTS = 20  # so many faults of a row are named
# What a result depends on.
_RUNS = ("keras_resnet", "commit", "cpu", "cores", "python")
_RUNS += ("tensorflow", "keras")


def session():
    """dict of what the results depend on, and the day, UTC."""
    import keras
    import tensorflow as tf

    import keras_resnet

    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "keras_resnet": keras_resnet.__version__,
        "commit": measure.commit(),
        "cpu": processor.name(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def rows(seed, records):
    """Counts by kind and by what ran.

    Args:
        seed: int.
        records: (session, record) of `campaign.Ledger`.

    Returns:
        list of dicts, one for each kind of each version and machine.
    """
    groups = collections.defaultdict(list)
    for session, record in records:
        is_kill = record["kind"] == "kills"
        kind = f"kills: {record['what']}" if is_kill else record["kind"]
        key = json.dumps({k: v for k, v in session.items() if k != "date"})
        groups[kind, key].append((session["date"], record))
    return [
        {"kind": kind, "seed": seed, **json.loads(key), **_count(group)}
        for (kind, key), group in groups.items()
    ]


def _count(group):
    dates, records = zip(*group, strict=True)
    ends = collections.Counter(record["end"] for record in records)
    row = {"first": min(dates), "last": max(dates), "cases": len(records)}
    row |= {end: ends[end] for end in verdict.ENDS}
    hit = _hits(records)
    if "kills" in records[0]:
        row |= {"kills": sum(hit.values()), "hit": dict(sorted(hit.items()))}
    faults = [r for r in records if r["end"] == verdict.FAULT][:_FAULTS]
    keys = "case", "what", "why"
    return {**row, "faults": [{k: r[k] for k in keys} for r in faults]}


def merge(path, new):
    """Puts rows into a file beside those of other seeds and versions.

    Returns:
        list of all rows.
    """
    path = pathlib.Path(path)
    held = json.loads(path.read_text())["rows"] if path.exists() else []
    key = ("kind", "seed", *_RUNS)
    table = {tuple(row[k] for k in key): row for row in [*held, *new]}
    merged = [table[key] for key in sorted(table, key=str)]
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, json.dumps({"rows": merged}, indent=1) + "\n")
    return merged


def markdown(rows):
    """The table of docs/RELIABILITY.md."""
    titles = "kind | cases | right | refused | faults | kills | last | commits"
    kinds = sorted({row["kind"] for row in rows})
    lines = [
        _line(kind, [r for r in rows if r["kind"] == kind]) for kind in kinds
    ]
    parts = [tables.table(titles, lines)]
    hit = _hits(rows)
    if hit:
        titles = "what a kill hit, by what it left | kills"
        lines = [[what, f"{count:,}"] for what, count in hit.most_common()]
        parts.append(tables.table(titles, lines))
    machine = (
        "{cpu}, {cores} cores, Python {python}, TensorFlow {tensorflow}, Keras "
        "{keras}"
    )
    machines = sorted({machine.format(**row) for row in rows})
    return "\n\n".join([*parts, f"On: {'; '.join(machines)}."])


def _line(kind, rows):
    kills = sum(row.get("kills", 0) for row in rows)
    keys = ("cases", *verdict.ENDS)
    return [
        kind,
        *(f"{sum(row[key] for row in rows):,}" for key in keys),
        f"{kills:,}" if kills else "",
        max(row["last"] for row in rows),
        ", ".join(sorted({row["commit"] for row in rows})),
    ]


def _hits(rows):
    """How many kills hit what, of rows or records."""
    hit = collections.Counter()
    for row in rows:
        hit.update(row.get("hit", {}))
    return hit
