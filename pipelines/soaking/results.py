"""Counts of all campaigns: docs/results/soak.json and the table made of it."""

import collections
import json
import pathlib

from benchmarks import tables
from soaking import verdict

from keras_resnet import files

_FAULTS = 20  # of a row are named


def rows(seed, records):
    """Counts by kind and by what ran.

    Args:
        seed: int.
        records: (session, record) of `ledger.Ledger`.

    Returns:
        list of dicts, one for each kind of each version and machine.
    """
    groups = collections.defaultdict(list)
    for session, record in records:
        key = json.dumps({k: v for k, v in session.items() if k != "date"})
        groups[_name(record), key].append((session["date"], record))
    return [
        {"kind": kind, "seed": seed, **json.loads(key), **_count(group)}
        for (kind, key), group in groups.items()
    ]


def _name(record):
    if record["kind"] == "kills":
        return f"kills: {record['what']}"
    return record["kind"]


def _count(group):
    dates, records = zip(*group, strict=True)
    ends = collections.Counter(record["end"] for record in records)
    row = {"first": min(dates), "last": max(dates), "cases": len(records)}
    row |= {end: ends[end] for end in verdict.ENDS}
    hit = _hits(records)
    if "kills" in records[0]:
        row |= {"kills": sum(hit.values()), "hit": dict(sorted(hit.items()))}
    faults = [r for r in records if r["end"] == verdict.FAULT]
    row["faults"] = [
        {"case": r["case"], "what": r["what"], "why": r["why"]}
        for r in faults[:_FAULTS]
    ]
    return row


_KEY = ("kind", "seed", "keras_resnet", "commit", "cpu", "cores", "python")
_KEY += ("tensorflow", "keras")


def merge(path, new):
    """Puts rows into a file beside those of other seeds and versions.

    Returns:
        list of all rows.
    """
    path = pathlib.Path(path)
    held = json.loads(path.read_text())["rows"] if path.exists() else []
    table = {tuple(row[k] for k in _KEY): row for row in [*held, *new]}
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
    return "\n\n".join([*parts, _machines(rows)])


def _line(kind, rows):
    kills = sum(row.get("kills", 0) for row in rows)
    numbers = [
        sum(row[key] for row in rows) for key in ("cases", *verdict.ENDS)
    ]
    return [
        kind,
        *(f"{number:,}" for number in numbers),
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


def _machines(rows):
    machines = {
        f"{row['cpu']}, {row['cores']} cores, Python {row['python']}, "
        f"TensorFlow {row['tensorflow']}, Keras {row['keras']}"
        for row in rows
    }
    return "On: " + "; ".join(sorted(machines)) + "."
