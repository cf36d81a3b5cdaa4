"""A contender in a process of its own, which works when it is told to.

    python -m benchmarks.worker TASK

reads numbers of steps from its standard input, a line each, and writes a line
of JSON for each: first what the start took, then the time of the steps.
"""

import importlib
import json
import os
import pathlib
import sys
import time

STATUS = pathlib.Path("/proc/self/status")  # Linux


def megabytes(field):
    """VmRSS, the resident size, or VmHWM, the most that it was; MB.

    `getrusage` would count what the parent held before this program began.
    """
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"{STATUS} has no {field}.")


def _function(contender):
    module, _, name = contender.partition(":")
    return getattr(importlib.import_module(module), name)


class _Times:
    """Clocks at each tick."""

    def __init__(self):
        self.ticks = []

    def __call__(self):
        self.ticks.append((time.process_time(), time.perf_counter()))

    def between(self, first, last):
        pairs = zip(self.ticks[first], self.ticks[last], strict=True)
        cpu, wall = (b - a for a, b in pairs)
        return {"cpu_seconds": cpu, "wall_seconds": wall}


def begin(prepare):
    """Imports, builds and takes the first step, each with its figures.

    Args:
        prepare: a contender with its arguments, () -> build.

    Returns:
        dict for the parent and the contender's `steps`, None if it has none.
    """
    tick = _Times()
    build = prepare()
    begun = {"imported_megabytes": megabytes("VmRSS")}
    tick()
    steps = build()
    tick()
    begun["build"] = tick.between(0, 1)
    begun["built_megabytes"] = megabytes("VmRSS")
    if steps is not None:
        steps(1, tick)
        begun["first_step"] = tick.between(0, 2)
        # The first may keep less: what it frees a second one can use.
        steps(1, tick)
        begun["most_megabytes"] = megabytes("VmHWM")
    return begun, steps


def take(steps, count):
    """Times `count` steps after one more, which wakes caches and threads."""
    tick = _Times()
    steps(count + 1, tick)
    return tick.between(0, -1)


def main():
    # Libraries may print: the answers have the standard output to themselves.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        task = json.loads(sys.argv[1])

        def prepare():
            return _function(task["contender"])(**task["arguments"])

        def answer(what):
            print(json.dumps(what), file=answers, flush=True)

        try:
            begun, steps = begin(prepare)
        except ImportError as error:
            answer({"missing": str(error)})
            return
        answer(begun)
        for line in sys.stdin:
            answer(take(steps, int(line)))


if __name__ == "__main__":
    main()
