"""SIGKILLs of a training run, which must end as a run that was not killed.

A run has no hooks: the killer looks at what the run writes and then waits for
some more time.
"""

import collections
import os
import pathlib
import signal
import subprocess
import time

from soaking import forked
from soaking import lives
from soaking.verdict import FAULT
from soaking.verdict import RIGHT

_LOOK = 0.001  # seconds between two looks
_LIFE = 3600  # seconds, after which a life counts as hanging

# What to wait for -> (share, the most seconds after it, how a new file's name
# begins).
TRIGGERS = {
    "start": (1, 6.0, None),  # of the life
    "checkpoint begins": (5, 0.02, "checkpoints/.unfinished-"),
    "checkpoint done": (4, 0.5, "checkpoints/step-"),
    "file begins": (2, 0.02, ".unfinished-"),
}


def draw(rng):
    """A case: {"configuration", "kills"}.

    A kill is (trigger, times, seconds, worker): when the trigger was seen so
    many times, it waits so many seconds. Of two workers it kills this one.
    """
    shares = {
        name: configuration.share / sum(configuration.kills)
        for name, configuration in lives.CONFIGURATIONS.items()
    }
    (name,) = rng.choices(list(shares), list(shares.values()))
    count = rng.randint(*lives.CONFIGURATIONS[name].kills)
    weights = [share for share, *_ in TRIGGERS.values()]
    kills = []
    for trigger in rng.choices(list(TRIGGERS), weights, k=count):
        times = 0 if trigger == "start" else rng.choice((1, 1, 2, 3))
        seconds = rng.uniform(0, TRIGGERS[trigger][1])
        kills.append((trigger, times, seconds, rng.randrange(2)))
    return {"configuration": name, "kills": kills}


def run(case, folder, twin, log):
    """Kills a run as a case says, lets it end and compares it.

    Args:
        case: from `draw`.
        folder: for the workdir of the run.
        twin: `lives.ends` of a run that was never killed.
        log: path that gets what the last life prints.

    Returns:
        dict: "end", "why", "kills" and "hit", how many kills hit what.
    """
    workdir = pathlib.Path(folder, "run")
    configuration = lives.CONFIGURATIONS[case["configuration"]]
    hit, kills, status = collections.Counter(), list(case["kills"]), None
    while status in (None, -signal.SIGKILL):
        # A launcher outlives kills of its workers; another life takes one kill.
        count = len(kills) if configuration.launcher else 1
        part, kills = kills[:count], kills[count:]
        status, where = _live(configuration, workdir, log, part)
        hit.update(where)
    if status == 0:
        found = _ends(workdir, log)
        names = [n for n in {**twin, **found} if twin.get(n) != found.get(n)]
        why = f"{len(names)} differ: {names[:5]}" if names else ""
    else:
        why = f"a life ended with {status}: {_words(log)[-300:]}"
    return {
        "end": FAULT if why else RIGHT,
        "why": why,
        "what": case["configuration"],
        "kills": sum(hit.values()),
        "hit": dict(hit),
    }


def unkilled(name, folder, log):
    """`lives.ends` of a run of a configuration that nobody kills.

    Raises:
        RuntimeError: if it fails.
    """
    workdir = pathlib.Path(folder, "run")
    status, _ = _live(lives.CONFIGURATIONS[name], workdir, log, [])
    if status != 0:
        raise RuntimeError(f"{name} ends with {status}: {_words(log)[-2000:]}")
    return _ends(workdir, log)


def _ends(workdir, log):
    return forked.call(lambda: lives.ends(workdir), f"{log}.ends")


def _words(log):
    return pathlib.Path(log).read_text(errors="replace").strip()


def _live(configuration, workdir, log, kills):
    """(exit status, [what each kill hit]) of a new life.

    Args:
        configuration: of `lives.CONFIGURATIONS`.
        workdir: of its run.
        log: path that gets what it prints.
        kills: what is done to it, one after the other.
    """
    pid, status = _start(configuration, workdir, log)
    hit, kills, look = [], list(kills), _Look(workdir)
    begin, due = time.monotonic(), None
    while status() is None:
        now = time.monotonic()
        if now - begin > _LIFE:
            os.kill(pid, signal.SIGKILL)
            return f"no end after {_LIFE} s", hit
        if kills and due is None and look.count(kills[0][0]) >= kills[0][1]:
            due = now + kills[0][2]
        if due is not None and now >= due:
            launcher, worker = configuration.launcher, kills[0][-1]
            if _kill(pid, launcher, worker):
                del kills[0]
                hit.append("a worker" if launcher else hit_by(workdir))
                due, look = None, _Look(workdir)
        time.sleep(_LOOK if kills else 0.02)
    return status(), hit


def _start(configuration, workdir, log):
    """(pid, function that gives the exit status or None) of a new life."""
    flags = (*configuration.flags, f"--workdir={workdir}")
    if not configuration.command:
        life = forked.start(lambda: lives.train(*flags), log)
        return life.pid, lambda: life.exitcode
    with open(log, "wb") as out:
        life = subprocess.Popen(
            [*configuration.command, *flags],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=forked.die_with_parent,
        )
    return life.pid, life.poll


def _kill(pid, launcher, worker):
    """Kills a life, or one of two workers; returns whether there were both."""
    if not launcher:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return True
    workers = _children(pid)
    if len(workers) == 2:
        os.kill(workers[worker], signal.SIGKILL)
    return len(workers) == 2


def _children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return sorted(found)


class _Look:
    """What a run has written since this life began, or since the last kill."""

    def __init__(self, workdir):
        self._workdir = workdir
        self._before, self._seen = self._names(), set()

    def _names(self):
        names = set()
        for prefix in ("", "checkpoints/"):
            names |= {prefix + name for name in _list(self._workdir / prefix)}
        return names

    def count(self, trigger):
        """How many new files of a trigger have been seen."""
        begin = TRIGGERS[trigger][2]
        if begin is None:
            return 0
        self._seen |= self._names() - self._before
        return sum(
            name.startswith(begin) and not name.endswith("probe")
            for name in self._seen
        )


def _list(folder):
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def hit_by(workdir):
    """What a kill hit, by what it left behind."""
    names = _list(workdir / "checkpoints")
    if any(name.startswith(".unfinished-step-") for name in names):
        return "the deletion of an old checkpoint"
    if any(name.startswith(".unfinished-") for name in names):
        return "the writing of a checkpoint"
    for path in workdir.glob(".unfinished-*"):
        return f"the writing of {path.name.removeprefix('.unfinished-')}"
    if (workdir / "model.keras").exists():
        return "after the model was written"
    if not any(name.startswith("step-") for name in names):
        return "before the first checkpoint"
    return "between two checkpoints"
