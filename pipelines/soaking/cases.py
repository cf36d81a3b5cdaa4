"""Cases of a kind of input, each decided by seed, kind and number alone."""

import json
import pathlib
import random
import signal

from soaking import files
from soaking import forked
from soaking import verdict

_SPARE = 3 << 30  # bytes of address space; a process that takes more dies


def rng_of(seed, kind, case):
    """The `random.Random` of a case."""
    return random.Random(f"{seed} {kind} {case}")


def make_corpus(kind, folder):
    """Writes the whole files of a `kinds.Kind` into a new folder."""
    files.clear(folder)
    forked.call(lambda: kind.module.make(folder), f"{folder}.log")


def run(name, kind, numbers, *, seed, corpus, scratch, keep):
    """Runs cases, each of them whatever the one before it did.

    Args:
        name: of the kind.
        kind: `kinds.Kind`.
        numbers: of the cases.
        seed: int.
        corpus: folder of `make_corpus`.
        scratch: folder of the case that runs.
        keep: called with the record of each case while its files are there.

    Yields:
        dict of each case: "kind", "case", "end", "why" and "what".
    """
    numbers, log = list(numbers), pathlib.Path(f"{scratch}.log")
    current = pathlib.Path(f"{scratch}.json")  # the case that runs

    def work(send):
        loaded = kind.module.load(corpus)
        forked.limit_memory(_SPARE)
        for number in numbers:
            case = kind.module.mutate(loaded, rng_of(seed, name, number))
            record = {"kind": name, "case": number, "what": case["what"]}
            current.write_text(json.dumps(record))
            end = _judge(kind, loaded, case, scratch)
            why = end.why.replace(str(scratch), "CASE")
            record |= {"end": end.end, "why": why}
            keep(record)
            send(record)

    while numbers:
        current.unlink(missing_ok=True)
        stream, done = forked.Stream(work, log), 0
        for record in stream:
            done += 1
            yield record
        if stream.status == 0:
            return
        record = {"kind": name, "case": numbers[done], "what": ""}
        if current.exists():
            record = json.loads(current.read_text())
        why = _death(stream.status, kind, log)
        record |= {"end": verdict.FAULT, "why": why}
        keep(record)
        yield record
        numbers = numbers[done + 1 :]


def _judge(kind, corpus, case, scratch):
    """The `Verdict` of a case, within its time and memory."""
    files.clear(scratch)
    files.write(scratch, case.get("files", {}))
    before = forked.peak()
    signal.setitimer(signal.ITIMER_REAL, kind.seconds)
    end = verdict.of(lambda: kind.module.judge(corpus, case, scratch))
    signal.setitimer(signal.ITIMER_REAL, 0)
    megabytes = (forked.peak() - before) >> 20
    if megabytes > kind.megabytes:
        why = f"took {megabytes} MB; {end.end}: {end.why}"
        return verdict.Verdict(verdict.FAULT, why)
    return end


def _death(status, kind, log):
    """Why a process ended in the middle of a case."""
    if status == -signal.SIGALRM:
        return f"took more than {kind.seconds} s"
    words = verdict.line(log.read_text(errors="replace")[-200:])
    if status < 0:
        return f"died of {signal.Signals(-status).name}: {words}"
    return f"the process ended with {status}: {words}"
