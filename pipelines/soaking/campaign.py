"""A campaign: all kinds in turns, from where it was stopped."""

import itertools
import json
import pathlib
import shutil

from soaking import cases
from soaking import kills
from soaking import kinds
from soaking import verdict
from soaking import whole

from keras_resnet import files

_ROUNDS = 10  # in which every kind has its turn


class Ledger:
    """What was run, in a file that only grows: safe whenever the process dies.

    A line is a JSON value: a session, {"session": {...}}, or the record of a
    case, which belongs to the session above it.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = self._path.read_bytes() if self._path.exists() else b""
        held = data[: data.rfind(b"\n") + 1]  # a kill can cut off the last
        if held != data:
            with self._path.open("r+b") as file:
                file.truncate(len(held))
        self.lines = [json.loads(line) for line in held.splitlines()]

    def add(self, line):
        """Appends a line."""
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)

    @property
    def records(self):
        """(session, record) of each case."""
        session, found = None, []
        for line in self.lines:
            if "session" in line:
                session = line["session"]
            else:
                found.append((session, line))
        return found

    def done(self, kind):
        """Numbers of the cases of a kind that have ended."""
        return {r["case"] for _, r in self.records if r["kind"] == kind}

    def kills(self):
        """How many kills there were."""
        return sum(record.get("kills", 0) for _, record in self.records)


class Campaign:
    """The cases of one seed.

    Args:
        workdir: of all campaigns; made if missing.
        seed: int.
        table: {name: `kinds.Kind`}.
    """

    def __init__(self, workdir, seed, table=kinds.KINDS):
        self._seed, self._kinds = seed, table
        self._folder = pathlib.Path(workdir).resolve() / f"seed-{seed}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._cases = {
            name: cases.Cases(name, kind, seed, self._folder, self._keep)
            for name, kind in table.items()
        }
        self._twins = {}

    def alone(self):
        """A context in which a second command on this seed is refused."""
        return files.locked(self._folder, f"It soaks with seed {self._seed}.")

    def run(self, session, *, inputs, kill_count, each):
        """Runs the cases that are still missing.

        Args:
            session: dict, of `results.session`.
            inputs: how many cases all kinds of input have together.
            kill_count: the least number of kills.
            each: called with the ledger after each turn of a kind.
        """
        book = Ledger(self._folder / "records.jsonl")
        book.add({"session": session})
        total = sum(kind.share for kind in self._kinds.values())
        for turn in range(1, _ROUNDS + 1):
            for name, kind in self._kinds.items():
                share = round(inputs * kind.share / total)
                count = share * turn // _ROUNDS
                missing = sorted(set(range(count)) - book.done(name))
                for record in self.inputs(name, missing):
                    book.add(record)
                each(book)
            done = book.done(kinds.KILLS)
            numbers = (n for n in itertools.count() if n not in done)
            while book.kills() < kill_count * turn // _ROUNDS:
                book.add(self.kill(next(numbers)))
            each(book)

    def inputs(self, name, numbers):
        """Records of cases of a kind of input."""
        return self._cases[name].run(numbers)

    def kill(self, number):
        """The record of a case of kills."""
        case = kills.draw(cases.rng_of(self._seed, kinds.KILLS, number))
        name, scratch = case["configuration"], self._folder / "life"
        log = self._folder / "life.log"
        if name not in self._twins:
            whole.clear(scratch)
            self._twins[name] = kills.unkilled(name, scratch, log)
        whole.clear(scratch)
        found = kills.run(case, scratch, self._twins[name], log)
        record = {"kind": kinds.KILLS, "case": number, **found}
        self._keep(record, scratch)
        return record

    def _keep(self, record, scratch):
        """Keeps the files of a fault."""
        if record["end"] != verdict.FAULT:
            return
        name = f"{record['kind']}-{record['case']}"
        folder = self._folder / "faults" / name
        whole.clear(folder)
        if scratch.is_dir():
            shutil.copytree(scratch, folder, symlinks=True, dirs_exist_ok=True)
        (folder / "record.json").write_text(json.dumps(record, indent=1))
