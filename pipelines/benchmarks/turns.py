"""Contenders in processes of their own, of which one works at a time.

Memory, the threads of a framework and the time to a first step each need a
process that has done nothing else.
"""

import json
import os
import subprocess
import sys
import tempfile


class NotInstalled(Exception):
    """A contender needs a package that is not there; the message says which."""


class Worker:
    """A contender's process, from its start to `close`.

    Args:
        contender: "module:function", see `train_contenders`.
        arguments: of the function, as JSON can hold them.

    Attributes:
        begun: dict of what `worker.begin` measured.

    Raises:
        NotInstalled: if the contender's packages are not there.
        RuntimeError: if the process fails, with the end of what it printed.
    """

    def __init__(self, contender, arguments):
        self._contender = contender
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        task = {"contender": contender, "arguments": arguments}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.begun = self._answer()
        if "missing" in self.begun:
            self.close()
            raise NotInstalled(self.begun["missing"])

    def take(self, count):
        """{"cpu_seconds", "wall_seconds"} of `count` steps, after one more."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        """Ends the process; its memory is free when this returns."""
        self._process.communicate()
        self._errors.close()

    def _answer(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read()[-2_000:]
        self.close()
        raise RuntimeError(
            f"{self._contender} ended with status {status}:\n{said}"
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def begin(contender, arguments):
    """`Worker.begun` of a process that does no more than begin."""
    with Worker(contender, arguments) as worker:
        return worker.begun


class Spent:
    """Clocks that stand still but for what workers say that they took.

    Attributes:
        clocks: two functions () -> seconds, of the CPU and of the wall, for
            `measure.alternate`.
    """

    def __init__(self):
        self._cpu = self._wall = 0.0
        self.clocks = (lambda: self._cpu, lambda: self._wall)

    def turn(self, worker, count, images):
        """A function () -> images, in which a worker takes `count` steps.

        Args:
            worker: `Worker`.
            count: int, steps.
            images: int, of one step.
        """

        def run():
            seconds = worker.take(count)
            self._cpu += seconds["cpu_seconds"]
            self._wall += seconds["wall_seconds"]
            return count * images

        return run
