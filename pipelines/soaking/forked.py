"""Work in processes that are forked from one which has imported TensorFlow.

The import takes seconds, a fork milliseconds. TensorFlow must not have run
anything before: a fork takes its memory along but not its threads.
"""

import ctypes
import json
import os
import resource
import signal
import traceback

_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Lets the kernel kill this process when the one that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def fork(work, log):
    """Forks; the child does its work and ends with its status.

    Args:
        work: function of () -> exit status, or None for 0. SystemExit counts.
        log: path that gets what the child prints.

    Returns:
        int: pid of the child.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent()
        if os.getppid() != parent:  # it ended in between
            os._exit(1)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        status = work() or 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        _flush_and_exit(status)


def _flush_and_exit(status):
    import sys

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status if isinstance(status, int) else 1)


class Stream:
    """What a forked child sends, one JSON value after the other.

    Args:
        work: function of (send) that is run in the child; `send` takes a
            value.
        log: path that gets what the child prints.

    Attributes:
        status: exit status after the last value; minus the signal that
            killed it.
    """

    def __init__(self, work, log):
        self.status = None
        self._read, write = os.pipe()

        def child():
            os.close(self._read)
            with os.fdopen(write, "w") as out:

                def send(value):
                    out.write(json.dumps(value) + "\n")
                    out.flush()

                work(send)

        self._pid = fork(child, log)
        os.close(write)

    def __iter__(self):
        try:
            with os.fdopen(self._read) as lines:
                for line in lines:
                    if line.endswith("\n"):
                        yield json.loads(line)
        except BaseException:
            os.kill(self._pid, signal.SIGKILL)
            raise
        finally:
            _, status = os.waitpid(self._pid, 0)
            self.status = os.waitstatus_to_exitcode(status)


def call(function, log):
    """What `function()`, run in a child, returns; a JSON value.

    Raises:
        RuntimeError: if the child fails, with the end of what it printed.
    """
    stream = Stream(lambda send: send(function()), log)
    values = list(stream)
    if stream.status or len(values) != 1:
        with open(log, errors="replace") as file:
            raise RuntimeError(
                f"A child ended with {stream.status}: {file.read()[-2000:]}"
            )
    return values[0]


def limit_memory(more):
    """Lets this process have so many bytes of address space more."""
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + more, held + more))


def peak():
    """The most bytes of memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
