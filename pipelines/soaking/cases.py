"""Cases of a kind of input, each decided by seed, kind and number alone."""

import functools
import json
import pathlib
import random
import shutil
import signal

from soaking import forked
from soaking import verdict

_SPARE = 3 << 30  # bytes of address space; a process that takes more dies


def rng_of(seed, kind, case):
    """The `random.Random` of a case."""
    return random.Random(f"{seed} {kind} {case}")


def make_corpus(kind, folder):
    """Writes the whole files of a `kinds.Kind` into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    forked.call(lambda: kind.make(folder), f"{folder}.log")


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
    while numbers:
        work = functools.partial(
            _work, name, kind, numbers, seed, corpus, scratch, keep
        )
        stream, done = forked.Stream(work, log), 0
        for record in stream:
            done += 1
            yield record
        if stream.status == 0:
            return
        record = {
            "kind": name,
            "case": numbers[done],
            "end": verdict.FAULT,
            "why": _death(stream.status, kind, log),
            "what": _noted(scratch),
        }
        keep(record)
        yield record
        numbers = numbers[done + 1 :]


def _death(status, kind, log):
    """Why a process ended in the middle of a case."""
    if status == -signal.SIGALRM:
        return f"took more than {kind.seconds} s"
    words = verdict.line(log.read_text(errors="replace")[-200:])
    if status < 0:
        return f"died of {signal.Signals(-status).name}: {words}"
    return f"the process ended with {status}: {words}"


def _work(name, kind, numbers, seed, folder, scratch, keep, send):
    """In a child: the cases, one after the other."""
    import ai_edge_litert.interpreter  # noqa: F401  not in a case's time

    corpus = kind.load(folder)
    forked.limit_memory(_SPARE)
    for number in numbers:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        case = kind.mutate(corpus, rng_of(seed, name, number))
        _note(scratch, case["what"])
        before = forked.peak()
        signal.setitimer(signal.ITIMER_REAL, kind.seconds)
        end = verdict.of(lambda case=case: kind.judge(corpus, case, scratch))
        signal.setitimer(signal.ITIMER_REAL, 0)
        megabytes = (forked.peak() - before) >> 20
        if megabytes > kind.megabytes:
            why = f"took {megabytes} MB; {end.end}: {end.why}"
            end = verdict.Verdict(verdict.FAULT, why)
        why = end.why.replace(str(scratch), "CASE")
        record = {"kind": name, "case": number, "end": end.end, "why": why}
        record["what"] = case["what"]
        keep(record)
        send(record)


def _note(scratch, what):
    pathlib.Path(f"{scratch}.what").write_text(json.dumps(what))


def _noted(scratch):
    path = pathlib.Path(f"{scratch}.what")
    return json.loads(path.read_text()) if path.exists() else ""
