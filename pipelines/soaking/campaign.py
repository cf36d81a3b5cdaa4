"""A campaign: all kinds in turns, from where it was stopped."""

import itertools
import json
import pathlib
import shutil

from soaking import cases
from soaking import files
from soaking import kills
from soaking import kinds
from soaking import ledger
from soaking import verdict

from keras_resnet import files as files_lib

_ROUNDS = 10  # in which every kind has its turn


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
        """Refuses a second command on the same seed, while it is entered."""
        return files_lib.locked(
            self._folder, f"It soaks with seed {self._seed}."
        )

    def run(self, session, *, inputs, kill_count, each):
        """Runs what is missing of the numbers.

        Args:
            session: dict, of `session.describe`.
            inputs: how many cases all kinds of input have together.
            kill_count: how many kills there shall be at least.
            each: called with the ledger after each turn of a kind.
        """
        book = ledger.Ledger(self._folder / "records.jsonl")
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
            self._kill(book, kill_count * turn // _ROUNDS)
            each(book)

    def _kill(self, book, count):
        done = book.done(kinds.KILLS)
        numbers = (n for n in itertools.count() if n not in done)
        while book.kills() < count:
            book.add(self.kill(next(numbers)))

    def inputs(self, name, numbers):
        """Records of cases of a kind of input."""
        return self._cases[name].run(numbers)

    def kill(self, number):
        """The record of a case of kills."""
        case = kills.draw(cases.rng_of(self._seed, kinds.KILLS, number))
        name, scratch = case["configuration"], self._folder / "life"
        log = self._folder / "life.log"
        if name not in self._twins:
            files.clear(scratch)
            self._twins[name] = kills.unkilled(name, scratch, log)
        files.clear(scratch)
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
        files.clear(folder)
        if scratch.is_dir():
            shutil.copytree(scratch, folder, symlinks=True, dirs_exist_ok=True)
        (folder / "record.json").write_text(json.dumps(record, indent=1))
