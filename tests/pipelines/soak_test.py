"""The campaign finds planted faults, and a stop changes none of its cases."""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import programs
import pytest
import zygote

SOAKS = programs.SUPPORT / "soaks.py"
DOCUMENT = programs.ROOT / "docs" / "RELIABILITY.md"
RESULTS = programs.ROOT / "docs" / "results" / "soak.json"

results = programs.module("soaking.results")

# Cases of the seed 7, of kinds whose files are quick to make.
QUICK = {
    "images": 12,
    "weights": 6,
    "tfrecords": 12,
    "recipes": 60,
    "page_requests": 80,
}
SLOW = {"checkpoints": 20, "manifests": 20, "artifacts": 30}


def _arguments(tmp_path, plans):
    """Arguments of the program that runs the plans."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plans))
    return SOAKS, tmp_path, path


def _run(tmp_path, *plans):
    """The records of each plan."""
    arguments = _arguments(tmp_path, plans)
    done = zygote.run(*arguments, cwd=tmp_path, timeout=1500)
    assert done.returncode == 0, done.stderr
    found = [[] for _ in plans]
    for record in map(json.loads, done.stdout.splitlines()):
        found[record.pop("plan")].append(record)
    return found


def _check(tmp_path, kinds, *more):
    """No faults without a plant, some of each kind with it; all records."""
    plan = {"seed": 7, "kinds": kinds}
    planted_plan = {**plan, "plant": True}
    plain, planted, *found = _run(tmp_path, plan, planted_plan, *more)
    for records in (plain, planted):
        assert [(r["kind"], r["case"]) for r in records] == [
            (name, n) for name, its in kinds.items() for n in its
        ]
    faults = [r for r in plain if r["end"] == "fault"]
    assert not faults
    for kind in kinds:
        ends = collections.Counter(r["end"] for r in plain if r["kind"] == kind)
        assert ends["right"] > 0
        assert ends["refused"] > 0 or kind in ("page_requests", "kills")
        ends = {r["end"] for r in planted if r["kind"] == kind}
        assert "fault" in ends, planted
    return plain, planted, *found


@pytest.mark.large
def test_each_kind_runs_and_finds_a_planted_fault(tmp_path):
    """And the same seed gives the same cases, another seed others."""
    kinds = {kind: list(range(count)) for kind, count in QUICK.items()}
    recipes = {"recipes": kinds["recipes"][:20]}
    more = [{"seed": seed, "kinds": recipes} for seed in (7, 8)]
    plain, planted, again, others = _check(tmp_path, kinds, *more)
    assert again == [r for r in plain if r["kind"] == "recipes"][:20]
    assert [r["what"] for r in others] != [r["what"] for r in again]
    # The files of a fault are kept.
    fault = next(r for r in planted if r["end"] == "fault")
    kept = tmp_path / "seed-7" / "faults" / "{kind}-{case}".format(**fault)
    assert json.loads((kept / "record.json").read_text()) == fault
    assert len(list(kept.iterdir())) == 2


@pytest.mark.large
@pytest.mark.parametrize("kind", SLOW)
def test_what_takes_longer_finds_a_planted_fault_too(tmp_path, kind):
    _check(tmp_path, {kind: list(range(SLOW[kind]))})


@pytest.mark.large
def test_a_kill_is_no_fault_but_forgotten_momentum_is(tmp_path):
    # Both cases use forked lives, which have the plant.
    plain, *_ = _check(tmp_path, {"kills": [1, 4]})
    assert all(record["kills"] > 3 for record in plain)


def test_a_case_that_crashes_hangs_or_takes_memory_is_a_fault(tmp_path):
    """The cases after it still run."""
    numbers = [0, 1], [2], [3, 4]
    plans = [{"seed": 0, "kinds": {"harm": some}} for some in numbers]
    crash, hang, memory = _run(tmp_path, *plans)
    assert [r["end"] for r in crash] == ["right", "fault"]
    assert "died of SIGABRT" in crash[1]["why"]
    assert (hang[0]["end"], hang[0]["case"]) == ("fault", 2)
    assert "more than 2 s" in hang[0]["why"]
    assert [r["end"] for r in memory] == ["fault", "right"]
    assert re.match(r"took [34]\d\d MB", memory[0]["why"])


@pytest.mark.large
def test_stopped_anywhere_it_goes_on_as_if_it_had_not_been(tmp_path):
    ledger = programs.module("soaking.campaign").Ledger
    plan = {"seed": 3, "kinds": {"images": [], "recipes": []}, "inputs": 120}
    killed, whole = ({**plan, "workdir": name} for name in ("killed", "whole"))
    book = tmp_path / "killed" / "seed-3" / "records.jsonl"
    life = subprocess.Popen([sys.executable, *_arguments(tmp_path, [killed])])
    while not book.exists() or book.read_bytes().count(b"\n") < 15:
        assert life.poll() is None
        time.sleep(0.001)
    life.kill()
    life.wait()
    held = book.read_bytes()
    assert 15 <= held.count(b"\n") < 120
    book.write_bytes(held[: held.rfind(b"\n") + 1] + b'{"kind": "ima')
    _run(tmp_path, killed, whole)
    cases = {}
    for name in ("killed", "whole"):
        its = ledger(tmp_path / name / "seed-3" / "records.jsonl")
        records = [record for _, record in its.records]
        cases[name] = sorted(records, key=lambda r: (r["kind"], r["case"]))
        sessions = sum("session" in line for line in its.lines)
        assert sessions == (2 if name == "killed" else 1)
    assert len(cases["whole"]) == 120
    assert cases["killed"] == cases["whole"]


@pytest.mark.large
def test_one_case_alone_is_a_command(tmp_path):
    flags = (f"--workdir={tmp_path}", "--seed=7", "--kind=images")
    done = programs.start("soak", *flags, "--case=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"case  1\n(.*\n)*end   (right|refused)", done.stdout)
    wrong = programs.start("soak", *flags, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--kind and --case go together" in wrong.stderr
    assert not (tmp_path / "seed-7" / "records.jsonl").exists()


SESSION = {
    "date": "2020-01-02",
    "keras_resnet": "0.1.0",
    "commit": "abc",
    "cpu": "x",
    "cores": 2,
    "python": "3.11",
    "tensorflow": "2.21",
    "keras": "3.15",
}


def test_counts_are_merged_with_those_of_other_seeds_and_versions(tmp_path):
    path = tmp_path / "soak.json"
    case = {"kind": "images", "case": 0, "end": "right", "why": "", "what": ""}
    fault = {**case, "case": 1, "end": "fault", "why": "died"}
    kill = {**case, "kind": "kills", "what": "workers", "kills": 3}
    kill["hit"] = {"a worker": 3}
    later = {**SESSION, "date": "2020-01-03"}
    results.merge(path, results.rows(1, [(SESSION, case)]))
    results.merge(path, results.rows(2, [(SESSION, case), (SESSION, kill)]))
    newer = {**later, "commit": "abd"}
    # New rows of the same seed and version replace the old ones.
    new = results.rows(1, [(SESSION, case), (later, fault), (newer, case)])
    rows = results.merge(path, new)
    assert rows == json.loads(path.read_text())["rows"]
    assert [(r["kind"], r["seed"], r["commit"], r["cases"]) for r in rows] == [
        ("images", 1, "abc", 2),
        ("images", 1, "abd", 1),
        ("images", 2, "abc", 1),
        ("kills: workers", 2, "abc", 1),
    ]
    assert (rows[0]["first"], rows[0]["last"]) == ("2020-01-02", "2020-01-03")
    assert rows[0]["faults"] == [{"case": 1, "what": "", "why": "died"}]
    text = results.markdown(rows)
    assert "| images         | 4     | 3     | 0       | 1" in text
    assert "| a worker" in text
    assert set(results.session()) == set(SESSION)


def test_the_document_has_the_counts_and_the_shares():
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = json.loads(RESULTS.read_text())["rows"]
    assert results.markdown(rows) in text
    table = programs.module("soaking.kinds").KINDS
    for name, kind in table.items():
        assert f"| {name} | {100 * kind.share:.0f} % |" in text
    lives = programs.module("soaking.lives").CONFIGURATIONS
    for configuration in lives.values():
        assert f"| {100 * configuration.share:.3g} % |" in text
    for shares in (table, lives):
        assert sum(row.share for row in shares.values()) == pytest.approx(1)


def test_a_kill_is_named_by_what_it_left(tmp_path):
    hit_by = programs.module("soaking.kills").hit_by
    assert hit_by(tmp_path) == "before the first checkpoint"
    folder = tmp_path / "checkpoints"
    (folder / "step-00000002").mkdir(parents=True)
    assert hit_by(tmp_path) == "between two checkpoints"
    (tmp_path / ".unfinished-metrics.jsonl").touch()
    assert hit_by(tmp_path) == "the writing of metrics.jsonl"
    (folder / ".unfinished-4-123").mkdir()
    assert hit_by(tmp_path) == "the writing of a checkpoint"


_PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from soaking import forked
print(forked.start(lambda: time.sleep(60), sys.argv[2]).pid, flush=True)
time.sleep(60)
"""


def test_a_forked_child_dies_with_its_parent(tmp_path):
    log = tmp_path / "log"
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, programs.PIPELINES, log],
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(parent.stdout.readline())
    while not log.exists():  # then it is tied to its parent
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    for _ in range(1000):
        if not _lives(child):
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("It lives on.")


def _lives(process):
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
