"""One start of all workers of a job on this machine."""

import collections
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

USER_ERROR = 2
RUN_AGAIN = 75  # of keras-resnet train after SIGTERM
LOST = 76  # of a worker that has lost another
_GRACE = 30  # seconds between SIGTERM and SIGKILL
_SHOWN = 15  # last lines of the worker that failed


def say(text):
    """A line of the launcher's own."""
    print(f"[launch] {text}", flush=True)


class Signals:
    """SIGINT and SIGTERM, to pass on.

    Attributes:
        received: number of the last one, or None.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self):
        self.received, self._listener = None, None
        self._event = threading.Event()
        self._before = {
            number: signal.signal(number, self._note)
            for number in self._NUMBERS
        }
        return self

    def _note(self, number, frame):
        del frame
        self.received = number
        self._event.set()
        if self._listener is not None:
            self._listener(number)

    def pass_on(self, listener):
        """Calls `listener(number)` for what has come and for what will come.

        None ends it.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, self._NUMBERS)
        try:
            self._listener = listener
            if listener is not None and self.received is not None:
                listener(self.received)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._NUMBERS)

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def sleep(self, seconds):
        """Sleeps until there is a signal."""
        self._event.wait(seconds)


class Worker:
    """A process of the job, whose lines are printed with a label."""

    def __init__(self, index, command, environment):
        self.index = index
        self.lines = collections.deque(maxlen=_SHOWN)
        self.ended = None  # when
        # A session of its own: Ctrl-C reaches it through us, once.
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            # Its end in the same call: workers write at the same time.
            sys.stdout.write(f"[worker {self.index}] {self.lines[-1]}\n")
            sys.stdout.flush()

    def status(self):
        """Its exit status, minus the signal that killed it, or None."""
        status = self._process.poll()
        if status is not None and self.ended is None:
            self.ended = time.monotonic()
        return status

    def signal(self, number):
        """Sends a signal to it and to what it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def finish(self):
        """Waits for its end and its last lines."""
        self._process.wait()
        # What it started may still hold its output.
        self._thread.join(timeout=2)


class Job:
    """All workers, started once.

    Args:
        command: list of words, the same for all.
        count: how many.
        signals: `Signals`.
    """

    def __init__(self, command, count, signals):
        self._command, self._count = command, count
        self._signals = signals
        self._workers = []

    def run(self):
        """Starts them; returns the exit status once all have ended."""
        try:
            for index, environment in enumerate(environments(self._count)):
                self._workers.append(Worker(index, self._command, environment))
            # Not before: a worker may be up before it is in the list.
            self._signals.pass_on(self._tell)
            self._wait()
        except OSError as error:
            say(f"Cannot start {self._command[0]!r}: {error.strerror}.")
            return USER_ERROR
        finally:
            self._tell(signal.SIGKILL)
            self._signals.pass_on(None)
        return self._result()

    def _tell(self, number):
        for worker in self._workers:
            worker.signal(number)

    def _wait(self):
        deadline = None
        while None in (found := [w.status() for w in self._workers]):
            failed = any(status not in (None, 0) for status in found)
            if deadline is None and (failed or self._signals.received):
                deadline = time.monotonic() + _GRACE
                # They notice by themselves, and say it better.
                time.sleep(1)
                if not self._signals.received:
                    self._tell(signal.SIGTERM)
            if deadline is not None and time.monotonic() > deadline:
                self._tell(signal.SIGKILL)
            time.sleep(0.05)
        for worker in self._workers:
            worker.finish()

    def _result(self):
        failed = [worker for worker in self._workers if worker.status() != 0]
        if not failed:
            return 0
        # Of those that lost another one the reason is the other one.
        first = min(failed, key=lambda w: (w.status() == LOST, w.ended))
        status = first.status()
        if not (self._signals.received and status in (RUN_AGAIN, 130)):
            how = f"status {status}"
            if status < 0:
                how = signal.Signals(-status).name
            say(f"Worker {first.index} failed first, with {how}. Its end:")
            for line in first.lines:
                print(f"    {line}")
            sys.stdout.flush()
        return status if status > 0 else 128 - status


def environments(count):
    """What each worker finds in its environment: list of dicts.

    The GPUs of CUDA_VISIBLE_DEVICES, if it is set, are dealt out.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    gpus = [gpu for gpu in visible.split(",") if gpu]
    share = len(gpus) // count
    found = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            "PYTHONUNBUFFERED": "1",
        }
        if share:
            own = gpus[index * share : (index + 1) * share]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        found.append(environment)
    return found


def _free_ports(count):
    """Ports that nobody listens at now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for opened in sockets:
        opened.close()
    return ports
