"""SIGKILL of a training run again and again: it ends as one that was not.

Nothing is hooked into a run: whoever kills it looks at what the run writes and
waits for some time more.
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess
import time

from soaking import forked
from soaking import lives
from soaking.verdict import FAULT
from soaking.verdict import RIGHT

_LOOK = 0.001  # seconds between two looks
_LIFE = 3600  # seconds, after which a life hangs

# What to wait for -> (share, the most seconds more). "start" is the fork.
TRIGGERS = {
    "start": (1, 6.0),
    "checkpoint begins": (5, 0.02),
    "checkpoint done": (4, 0.5),
    "file begins": (2, 0.02),
}


def draw(rng):
    """A case: {"configuration", "kills"}.

    A kill is (trigger, times, seconds, worker): when the trigger was seen so
    many times, it waits for some seconds; of two workers one is killed.
    """
    shares = {
        name: configuration.share / sum(configuration.kills)
        for name, configuration in lives.CONFIGURATIONS.items()
    }
    (name,) = rng.choices(list(shares), list(shares.values()))
    count = rng.randint(*lives.CONFIGURATIONS[name].kills)
    weights = [share for share, _ in TRIGGERS.values()]
    kills = []
    for trigger in rng.choices(list(TRIGGERS), weights, k=count):
        most = TRIGGERS[trigger][1]
        times, seconds = rng.choice((1, 1, 2, 3)), rng.uniform(0, most)
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
        # A launcher outlives its workers, another life only itself.
        count = len(kills) if configuration.launcher else 1
        part, kills = kills[:count], kills[count:]
        life = _start(configuration, workdir, log)
        status, where = _watch(life, workdir, part, configuration.launcher)
        hit.update(where)
    why = _wrong(status, workdir, twin, log)
    return {
        "end": FAULT if why else RIGHT,
        "why": why,
        "what": case["configuration"],
        "kills": sum(hit.values()),
        "hit": dict(hit),
    }


def _wrong(status, workdir, twin, log):
    if status != 0:
        words = pathlib.Path(log).read_text(errors="replace").strip()
        return f"a life ended with {status}: {words[-300:]}"
    found = forked.call(lambda: lives.ends(workdir), f"{log}.ends")
    names = [n for n in {**twin, **found} if twin.get(n) != found.get(n)]
    return f"{len(names)} differ: {names[:5]}" if names else ""


def _start(configuration, workdir, log):
    """pid of a new life."""
    flags = (*configuration.flags, f"--workdir={workdir}")
    if configuration.command is None:
        return forked.fork(lambda: lives.train(*flags), log)
    with open(log, "wb") as out:
        return subprocess.Popen(
            [*configuration.command, *flags],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=forked.die_with_parent,
        ).pid


def unkilled(name, folder, log):
    """`lives.ends` of a run of a configuration that nobody kills.

    Raises:
        RuntimeError: if it fails.
    """
    workdir = pathlib.Path(folder, "run")
    life = _start(lives.CONFIGURATIONS[name], workdir, log)
    status, _ = _watch(life, workdir, [], False)
    if status != 0:
        words = pathlib.Path(log).read_text(errors="replace")
        raise RuntimeError(f"{name} ends with {status}: {words[-2000:]}")
    return forked.call(lambda: lives.ends(workdir), f"{log}.ends")


def _watch(pid, workdir, kills, launcher):
    """(exit status, [what each kill hit]) of a life.

    Args:
        pid: of the life.
        workdir: of its run.
        kills: what is done to it, one after the other.
        launcher: whether its workers are killed, not itself.
    """
    hit, kills, look = [], list(kills), _Look(workdir)
    begin, due = time.monotonic(), None
    while time.monotonic() - begin < _LIFE:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), hit
        now = time.monotonic()
        if kills and due is None and look.count(kills[0][0]) >= kills[0][1]:
            due = now + kills[0][2]
        if due is not None and now >= due and _kill(pid, launcher, kills[0]):
            del kills[0]
            hit.append("a worker" if launcher else _hit(workdir))
            due, look = None, _Look(workdir)
        time.sleep(_LOOK if kills else 0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return f"no end after {_LIFE} s", hit


def _kill(pid, launcher, kill):
    """Kills a life, or one of two workers; whether there were both."""
    if not launcher:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return True
    workers = _children(pid)
    if len(workers) == 2:
        os.kill(workers[kill[-1]], signal.SIGKILL)
    return len(workers) == 2


def _children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return sorted(found)


class _Look:
    """What a run has written since this life began."""

    def __init__(self, workdir):
        self._workdir, self._checkpoints = workdir, workdir / "checkpoints"
        self._before = self._names()
        self._seen = collections.defaultdict(set)

    def _names(self):
        found = {}
        for folder in (self._workdir, self._checkpoints):
            try:
                found[folder] = set(os.listdir(folder))
            except FileNotFoundError:
                found[folder] = set()
        return found

    def count(self, trigger):
        """How many of the trigger's events there have been; `start` is one."""
        if trigger == "start":
            return 99
        now = self._names()
        in_workdir = trigger == "file begins"
        folder = self._workdir if in_workdir else self._checkpoints
        done = trigger == "checkpoint done"
        self._seen[trigger] |= {
            name
            for name in now[folder] - self._before[folder]
            if name.startswith("step-" if done else ".unfinished-")
            and not name.endswith("probe")
        }
        return len(self._seen[trigger])


def _hit(workdir):
    """What a kill hit, by what it left behind."""
    checkpoints = workdir / "checkpoints"
    names = os.listdir(checkpoints) if checkpoints.is_dir() else []
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


def clear(folder):
    """Empties a folder for the next case."""
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
