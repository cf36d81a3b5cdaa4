"""Workers meet before TensorFlow starts, or say by name who is missing.

TensorFlow waits for a missing worker for ever, in a call that holds Python's
global lock, so that nothing in the process can end the wait. Hence each worker
calls the chief first, at the address that TensorFlow's server takes next.
"""

import contextlib
import hashlib
import hmac
import json
import socket
import time

from keras_resnet.errors import UsageError
from keras_resnet.training import doorway

_PAUSE = 0.2  # seconds between two calls
_ANSWERS = ("go", "missing", "refused")


class Missing(Exception):
    """Some workers were not there in time; the message has their addresses."""


def meet(cluster, timeout):
    """Returns once every worker of a cluster is there.

    A caller that does not speak like a worker gets no answer. If the cluster
    has a token, messages carry a code that nobody can make without it.

    Args:
        cluster: `cluster.Cluster`, the same for all workers but for the index.
        timeout: seconds.

    Raises:
        Missing: if a worker is not there in time.
        keras_resnet.UsageError: if two processes are the same worker, or have
            different addresses; or the chief's address is not its own.
    """
    deadline = time.monotonic() + timeout
    part = _gather if cluster.index == 0 else _call
    kind, text = part(cluster, deadline, timeout)
    if kind == "missing":
        raise Missing(text)
    if kind == "refused":
        raise UsageError(text)


def _gather(cluster, deadline, timeout):
    """The chief's part: waits for the others, tells them how it went."""
    calls, answer = {}, None
    with (
        doorway.listen(cluster.addresses[0]) as server,
        contextlib.closing(doorway.Door(server)) as door,
    ):
        while answer is None and len(calls) < len(cluster.addresses) - 1:
            if time.monotonic() >= deadline:
                answer = ("missing", _absent(cluster, calls, timeout))
            for call, line in door.lines(deadline):
                answer = answer or _take(cluster, call, line, calls)
        answer = answer or ("go", "")
        for call in calls.values():
            _send(cluster, call, answer)
    return answer


def _absent(cluster, calls, timeout):
    absent = [
        f"{index} ({address})"
        for index, address in enumerate(cluster.addresses)
        if index and index not in calls
    ]
    return (
        f"Worker {', '.join(absent)} never started: the others waited "
        f"{timeout:.0f} s (--start_timeout)."
    )


def _take(cluster, call, line, calls):
    """Notes a caller; returns an answer for all if it is refused."""
    try:
        index, addresses = _opened(cluster, line)
        if not _is_worker(cluster, index, addresses):
            raise ValueError
    except ValueError:  # not one of us
        call.close()
        return None
    if addresses != list(cluster.addresses):
        answer = (
            "refused",
            f"Worker {index} has the addresses {', '.join(addresses)}; the "
            f"chief has {', '.join(cluster.addresses)}. They must be the same.",
        )
        _send(cluster, call, answer)
        # Without a token anybody may have sent it: the others go on.
        return answer if cluster.token else None
    twice = index in calls
    calls[(index, "again") if twice else index] = call
    if twice:
        return (
            "refused",
            f"Two processes are worker {index}. Each needs an index of its "
            "own.",
        )
    return None


def _is_worker(cluster, index, addresses):
    return (
        type(index) is int
        and 0 < index < len(cluster.addresses)
        and isinstance(addresses, list)
        and all(isinstance(address, str) for address in addresses)
    )


def _call(cluster, deadline, timeout):
    """Another worker's part: calls the chief until it answers."""
    host, _, port = cluster.addresses[0].rpartition(":")
    place = host.strip("[]"), int(port)
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(place, left) as call:
                _send(cluster, call, (cluster.index, list(cluster.addresses)))
                # The chief may have begun to wait later.
                line = _receive(call, time.monotonic() + timeout + 5)
            kind, text = _opened(cluster, line)
            if kind in _ANSWERS and isinstance(text, str):
                return kind, text
        except (OSError, ValueError):
            # Nobody yet, or the servers of a job that is about to end.
            pass
        time.sleep(_PAUSE)
    return (
        "missing",
        f"Worker 0, the chief, never answered at {cluster.addresses[0]} in "
        f"{timeout:.0f} s (--start_timeout).",
    )


def _code(cluster, message):
    """The code of a message, which nobody can make without the token."""
    text = json.dumps(message).encode()
    return hmac.new(cluster.token.encode(), text, hashlib.sha256).hexdigest()


def _send(cluster, call, message):
    line = json.dumps([*message, _code(cluster, message)]).encode() + b"\n"
    with contextlib.suppress(OSError):  # it is gone; TensorFlow will notice
        call.sendall(line)


def _receive(call, until):
    """A line, if it comes in time."""
    line = b""
    while not line.endswith(b"\n") and len(line) <= doorway.LONGEST:
        call.settimeout(max(until - time.monotonic(), 0.001))
        part = call.recv(doorway.LONGEST)
        if not part:
            raise ValueError("half a line")
        line += part
    return line


def _opened(cluster, line):
    """The two values of a message from a sender with the cluster's token.

    Raises:
        ValueError: if it is anything else.
    """
    try:
        *message, code = json.loads(line)
        good = hmac.compare_digest(code, _code(cluster, message))
    except (RecursionError, TypeError) as error:
        raise ValueError("no message") from error
    if not good or len(message) != 2:
        raise ValueError("no message of a worker")
    return message
