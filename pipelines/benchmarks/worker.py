"""A contender in a process of its own, which works when it is told to.

    python -m benchmarks.worker TASK

TASK is [function, arguments] of a `runner.Contender`, in JSON. A line of the
standard input has two numbers: steps that warm up caches and threads, and steps
that are timed. Each line of the standard output is JSON: first what the start
took, then what each line of input took. `runner.Worker` is the other end.
"""

import importlib
import json
import os
import pathlib
import sys
import time

STATUS = pathlib.Path("/proc/self/status")  # Linux


def megabytes(field="VmRSS"):
    """VmRSS, the resident size, or VmHWM, its peak; MB.

    `getrusage` would count what the parent held before this program began.
    """
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"{STATUS} has no {field}.")


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
    """Imports, builds and takes two steps.

    Args:
        prepare: a contender with its arguments, () -> build.

    Returns:
        dict of figures for the parent, and the contender's `steps`.
    """
    tick = _Times()
    build = prepare()
    begun = {"imported_megabytes": megabytes()}
    tick()
    steps = build()
    tick()
    begun["build"] = tick.between(0, 1)
    begun["built_megabytes"] = megabytes()
    if not callable(steps):
        return {**begun, "result": steps}, steps
    steps(1, tick)
    begun["first_step"] = tick.between(0, 2)
    # The first may keep less: what it frees a second one can use.
    steps(1, tick)
    begun["most_megabytes"] = megabytes("VmHWM")
    return begun, steps


def take(steps, warm_up, count):
    """Times `count` steps after `warm_up` others."""
    tick = _Times()
    tick()
    steps(warm_up + count, tick)
    taken = tick.between(-1 - count, -1)
    return {**taken, "resident_megabytes": megabytes()}


def main():
    # Libraries may print: the answers have the standard output to themselves.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(what):
            print(json.dumps(what), file=answers, flush=True)

        contender, arguments = json.loads(sys.argv[1])
        module, _, name = contender.partition(":")
        function = getattr(importlib.import_module(module), name)
        begun, steps = begin(lambda: function(**arguments))
        answer(begun)
        for line in sys.stdin:
            answer(take(steps, *map(int, line.split())))


if __name__ == "__main__":
    main()
