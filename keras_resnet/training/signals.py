"""Signals that ask a run to stop, and the exit status they ask for."""

import signal
import threading

# 75 is sysexits.h's EX_TEMPFAIL: run me again. 130 is a shell's for Ctrl-C.
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 75}


class Interrupted(Exception):
    """A signal stopped the run.

    Attributes:
        step: iterations done and saved; None before the first could begin.
        signal: "SIGTERM" or "SIGINT".
        status: int, exit status of the process that it ends.
    """

    def __init__(self, number, step=None):
        where = "before the first step" if step is None else f"at step {step}"
        self.signal = signal.Signals(number).name
        super().__init__(f"{self.signal}: stopped {where}")
        self.step, self.status = step, STATUS[number]


class Signals:
    """Context that handles SIGINT and SIGTERM.

    At first a signal raises `Interrupted` at once: there is nothing to save
    yet, and reading data may take long. After `wait` it is only noted; the
    loop looks at `received` between two batches. A second SIGINT interrupts
    at once, whatever is lost. Python lets only the main thread take signals:
    in any other this does nothing.

    Attributes:
        received: number of the signal, or None.
    """

    def __enter__(self):
        self.received, self._waiting = None, False
        main = threading.current_thread() is threading.main_thread()
        self._before = {
            number: signal.signal(number, self._note)
            for number in (STATUS if main else ())
        }
        return self

    def wait(self):
        """From now on signals are only noted."""
        self._waiting = True

    def _note(self, number, frame):
        del frame
        if not self._waiting:
            raise Interrupted(number)
        self.received = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
