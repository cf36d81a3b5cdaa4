"""Starts all workers of a job on this machine."""

import collections
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time

from keras_resnet.training.cluster import TOKEN

USER_ERROR = 2
RUN_AGAIN = 75  # exit status of keras-resnet train after SIGTERM
LOST = 76  # exit status of a worker that has lost another
_GRACE = 30  # seconds between SIGTERM and SIGKILL
_SHOWN = 15  # last lines of the worker that failed


def say(text):
    """Prints a line of the launcher itself."""
    print(f"[launch] {text}", flush=True)


class Signals:
    """Context that notes SIGINT and SIGTERM.

    Attributes:
        received: numbers of the signals received, in order.
    """

    def __enter__(self):
        self.received, self._event = [], threading.Event()
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def _note(self, number, frame):
        del frame
        self.received.append(number)
        self._event.set()

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def sleep(self, seconds):
        """Sleeps for some seconds, or until a signal."""
        self._event.wait(seconds)


class Worker:
    """A process of the job, whose lines are printed with a label."""

    def __init__(self, index, command, environment):
        self.index = index
        self.lines = collections.deque(maxlen=_SHOWN)
        self.ended = None  # when
        # It has its own session, so Ctrl-C reaches it once, through us.
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
            # Write the line's end in the same call: workers write at the same
            # time.
            sys.stdout.write(f"[worker {self.index}] {self.lines[-1]}\n")
            sys.stdout.flush()

    def status(self):
        """Its exit status, or the negated signal that killed it, or None."""
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
        # A process that it started may still have its output open.
        self._thread.join(timeout=2)


def run(command, count, signals):
    """Starts a job and waits for the end of all its workers.

    Args:
        command: list of words, the same for all.
        count: how many workers.
        signals: `Signals`.

    Returns:
        int, the job's exit status: 0, or that of the worker that failed first.
    """
    workers = []
    try:
        for index, environment in enumerate(environments(count)):
            workers.append(Worker(index, command, environment))
        _wait(workers, signals)
    except OSError as error:
        say(f"Cannot start {command[0]!r}: {error.strerror}.")
        return USER_ERROR
    finally:
        _tell(workers, signal.SIGKILL)
    return _result(workers, signals)


def _tell(workers, number):
    for worker in workers:
        worker.signal(number)


def _wait(workers, signals):
    """Passes signals on; ends all workers a while after one has failed."""
    deadline, passed_on = None, 0
    while None in (found := [worker.status() for worker in workers]):
        while passed_on < len(signals.received):
            _tell(workers, signals.received[passed_on])
            passed_on += 1
        failed = any(status not in (None, 0) for status in found)
        if deadline is None and (failed or signals.received):
            deadline = time.monotonic() + _GRACE
            # The others notice by themselves and report it better.
            time.sleep(1)
            if not signals.received:
                _tell(workers, signal.SIGTERM)
        if deadline is not None and time.monotonic() > deadline:
            _tell(workers, signal.SIGKILL)
        time.sleep(0.05)
    for worker in workers:
        worker.finish()


def _result(workers, signals):
    failed = [worker for worker in workers if worker.status() != 0]
    if not failed:
        return 0
    # A worker that lost another one is not the reason: the other one is.
    first = min(failed, key=lambda w: (w.status() == LOST, w.ended))
    status = first.status()
    if not (signals.received and status in (RUN_AGAIN, 130)):
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        say(f"Worker {first.index} failed first, with {how}. Its end:")
        print("\n".join(f"    {line}" for line in first.lines), flush=True)
    return status if status > 0 else 128 - status


def environments(count):
    """The environment of each worker: a list of dicts.

    Workers know each other by a token, which no command line shows. They share
    the GPUs of CUDA_VISIBLE_DEVICES, if it is set.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    gpus = [gpu for gpu in visible.split(",") if gpu]
    share = len(gpus) // count
    token = secrets.token_hex(32)
    found = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            TOKEN: token,
            "PYTHONUNBUFFERED": "1",
        }
        if share:
            own = gpus[index * share : (index + 1) * share]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        found.append(environment)
    return found


def _free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for opened in sockets:
        opened.close()
    return ports
