"""Contenders in processes of their own; one works at a time.

Memory, the threads of a framework and the time to a first step each need a
process that has done nothing else.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import typing

from benchmarks import measure

_PIPELINES = str(pathlib.Path(__file__).resolve().parents[1])


@dataclasses.dataclass(frozen=True)
class Contender:
    """Work that is measured.

    Attributes:
        function: "module:function". A new process calls it; it imports what
            it needs, makes its input and returns `build`. `build()` makes what
            a first step needs and returns `steps`, or a result for JSON where
            no step is timed. `steps(count, tick)` calls `tick()` after each.
        arguments: dict of the function's arguments, as JSON can hold them.
        images: of one step.
        environment: dict of variables of the process, beside our own.
    """

    function: str
    arguments: dict
    images: int = 1
    environment: dict = dataclasses.field(default_factory=dict)

    def begin(self):
        """`Worker.begun` of a process that does no more than begin."""
        with Worker(self) as worker:
            return worker.begun


class Worker:
    """A contender's process, from its start to the end of a `with`.

    Attributes:
        begun: dict of what `worker.begin` measured.
        pid: of the process.

    Raises:
        RuntimeError: if the process ends; its first line says why, the others
            are the end of what the process printed.
    """

    def __init__(self, contender):
        self._contender = contender
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        task = json.dumps([contender.function, contender.arguments])
        path = {"PYTHONPATH": os.pathsep.join([_PIPELINES, *sys.path])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env={**os.environ, **contender.environment, **path},
        )
        self.pid = self._process.pid
        self.begun = self._answer()

    def take(self, steps, warm_up=1):
        """What `worker.take` measured for some steps."""
        with contextlib.suppress(BrokenPipeError):  # `_answer` says why
            self._process.stdin.write(f"{warm_up} {steps}\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read()[-2_000:].strip() or "it printed nothing"
        self.__exit__()
        raise RuntimeError(
            f"{self._contender.function} ended with status {status}: "
            f"{said.splitlines()[-1]}\n{said}"
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Ends the process; its memory is free when this returns."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        self._errors.close()


class Turns(typing.NamedTuple):
    """What contenders did in turns."""

    rounds: dict  # {name: list of `measure.rates`}
    begun: dict  # {name: `Worker.begun`}
    missing: dict  # {name: why it did not start}


def take_turns(contenders, *, rounds, steps, warm_up=1, say=print):
    """Runs every contender once a round, the order rotated each round.

    A round before the first warms up and is not counted.

    Args:
        contenders: {name: `Contender`}.
        rounds: int >= 1, those that count.
        steps: timed steps of a turn.
        warm_up: steps of a turn before the timed ones.
        say: function that takes a line of progress.

    Returns:
        `Turns`.
    """
    with contextlib.ExitStack() as stack:
        workers, missing = _start(contenders, stack, say)
        say(f"  {rounds} rounds of {len(workers)} contenders ...")
        taken = {name: [] for name in workers}
        for name in order(list(workers), rounds + 1):
            seconds = workers[name].take(steps, warm_up)
            images = contenders[name].images
            taken[name].append(measure.rates(seconds, steps, images))
        begun = {name: worker.begun for name, worker in workers.items()}
    counted = {name: of_one[1:] for name, of_one in taken.items()}
    return Turns(counted, begun, missing)


def _start(contenders, stack, say):
    workers, missing = {}, {}
    for name, contender in contenders.items():
        say(f"  {name} ...")
        try:
            workers[name] = stack.enter_context(Worker(contender))
        except RuntimeError as error:
            missing[name] = str(error).partition("\n")[0]
            say(f"  Without {name}: {missing[name]}")
    return workers, missing


def order(names, rounds):
    """Names in turns, each round beginning with the next one."""
    for number in range(rounds):
        first = number % max(len(names), 1)
        yield from names[first:] + names[:first]
