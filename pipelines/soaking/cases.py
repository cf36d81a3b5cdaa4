"""Cases of a kind of input; seed, kind and number alone determine a case."""

import functools
import json
import random
import signal

from soaking import forked
from soaking import verdict
from soaking import whole

_SPARE = 3 << 30  # bytes of address space; a process that takes more dies


def rng_of(seed, kind, case):
    """The `random.Random` of a case."""
    return random.Random(f"{seed} {kind} {case}")


class Cases:
    """The cases of a kind.

    Args:
        name: of the kind.
        kind: `kinds.Kind`.
        seed: int.
        folder: of the campaign.
        keep: called with the record of each case, and the folder of its files
            while they are there.
    """

    def __init__(self, name, kind, seed, folder, keep):
        self._name, self._kind, self._seed, self._keep = name, kind, seed, keep
        self._corpus = folder / "corpora" / name
        self._scratch = folder / "case"
        self._log = folder / "case.log"
        self._current = folder / "case.json"  # the record of what runs
        self._is_made = False

    def run(self, numbers):
        """Yields the record of each case, whatever the one before it did.

        A record is {"kind", "case", "end", "why", "what"}.
        """
        if numbers and not self._is_made:
            whole.clear(self._corpus)
            make, log = self._kind.module.make, f"{self._corpus}.log"
            forked.call(lambda: make(self._corpus), log)
            self._is_made = True
        while numbers:
            self._note(numbers[0], "the reading of the whole files")
            work = functools.partial(self._work, numbers)
            stream, done = forked.Stream(work, self._log), 0
            for record in stream:
                done += 1
                yield record
            if stream.status == 0:
                return
            yield self._record_death(stream.status)
            numbers = numbers[done + 1 :]

    def _work(self, numbers, send):
        """In a child: the cases, one after the other."""
        module = self._kind.module
        corpus = module.load(self._corpus)
        forked.limit_memory(_SPARE)
        for number in numbers:
            self._note(number, "the making of the case")
            case = module.mutate(corpus, rng_of(self._seed, self._name, number))
            record = self._note(number, case["what"])
            end, why = self._judge(corpus, case)
            why = why.replace(str(self._scratch), "CASE")
            send(self._end(record, end, why))

    def _note(self, number, what):
        """Begins a record, which stays even if the process dies."""
        record = {"kind": self._name, "case": number, "what": what}
        self._current.write_text(json.dumps(record))
        return record

    def _end(self, record, end, why):
        record |= {"end": end, "why": why}
        self._keep(record, self._scratch)
        return record

    def _judge(self, corpus, case):
        """How a case ends, within its time and memory."""
        kind, scratch = self._kind, self._scratch
        whole.clear(scratch)
        whole.write(scratch, case.get("files", {}))
        before = forked.peak_megabytes()
        signal.setitimer(signal.ITIMER_REAL, kind.seconds)
        end, why = verdict.of(lambda: kind.module.judge(corpus, case, scratch))
        signal.setitimer(signal.ITIMER_REAL, 0)
        megabytes = forked.peak_megabytes() - before
        if megabytes > kind.megabytes:
            return verdict.FAULT, f"took {megabytes} MB; {end}: {why}"
        return end, why

    def _record_death(self, status):
        """The record of the case in which the process ended."""
        words = verdict.line(self._log.read_text(errors="replace")[-200:])
        if status == -signal.SIGALRM:
            why = f"took more than {self._kind.seconds} s"
        elif status < 0:
            why = f"died of {signal.Signals(-status).name}: {words}"
        else:
            why = f"the process ended with {status}: {words}"
        record = json.loads(self._current.read_text())
        return self._end(record, verdict.FAULT, why)
