"""Work in processes that are forked from one which has imported TensorFlow.

The import takes seconds, a fork milliseconds. TensorFlow must not have run
anything before: a fork copies its memory but not its threads.
"""

import ctypes
import multiprocessing
import os
import pathlib
import resource
import signal
import sys

_FORK = multiprocessing.get_context("fork")
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Lets the kernel kill this process when the one that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(work, log):
    """Forks a `multiprocessing.Process`.

    Args:
        work: function of () -> exit status, or None for 0.
        log: path that gets what the child prints.
    """
    process = _FORK.Process(target=_child, args=(work, log, os.getpid()))
    process.start()
    return process


def _child(work, log, parent):
    die_with_parent()
    if os.getppid() != parent:  # the parent ended in between
        os._exit(1)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.exit(work())


class Stream:
    """What a forked child sends, one value after the other.

    Args:
        work: function of (send) that is run in the child.
        log: path that gets what the child prints.

    Attributes:
        status: exit status after the last value; if a signal killed the child,
            minus its number.
    """

    def __init__(self, work, log):
        self.status = None
        self._values, sender = _FORK.Pipe(duplex=False)
        self._process = start(lambda: work(sender.send), log)
        sender.close()

    def __iter__(self):
        try:
            while True:
                yield self._values.recv()
        except (EOFError, OSError):  # it has ended, maybe within a value
            pass
        except BaseException:
            self._process.kill()
            raise
        finally:
            self._process.join()
            self.status = self._process.exitcode


def call(function, log):
    """What `function()`, run in a child, returns.

    Raises:
        RuntimeError: if the child fails, with the end of what it printed.
    """
    stream = Stream(lambda send: send(function()), log)
    values = list(stream)
    if stream.status or len(values) != 1:
        words = pathlib.Path(log).read_text(errors="replace")[-2000:]
        raise RuntimeError(f"A child ended with {stream.status}: {words}")
    return values[0]


def limit_memory(more):
    """Lets this process take `more` bytes of address space than it has."""
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + more, held + more))


def peak_megabytes():
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
