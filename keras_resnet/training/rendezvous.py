"""Workers meet before TensorFlow starts, or say by name who is missing.

TensorFlow waits for a missing worker for ever, in a call that holds Python's
global lock, so that nothing in the process can end the wait. Hence each worker
calls the chief first, at the address that TensorFlow's server takes next.
"""

import contextlib
import json
import socket
import time

from keras_resnet.errors import UsageError

_PAUSE = 0.2  # seconds between two calls
_LONGEST = 100_000  # bytes of a message: 1,024 addresses are 30,000


class Missing(Exception):
    """Some workers were not there in time; the message has their addresses."""


def meet(cluster, timeout):
    """Returns once every worker of a cluster is there.

    Args:
        cluster: `cluster.Cluster`, the same for all but for the index.
        timeout: seconds.

    Raises:
        Missing: if a worker is not there in time.
        keras_resnet.UsageError: if two processes are the same worker, or have
            not the same addresses; or the chief's address is not its own.
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
    port = int(cluster.addresses[0].rpartition(":")[2])
    calls, answer = {}, None
    with _listen(port) as server, contextlib.ExitStack() as stack:
        while answer is None and len(calls) < len(cluster.addresses) - 1:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                call, _ = server.accept()
            except TimeoutError:
                answer = ("missing", _absent(cluster, calls, timeout))
            else:
                answer = _take(cluster, stack.enter_context(call), calls)
        answer = answer or ("go", "")
        for call in calls.values():
            _send(call, answer)
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


def _listen(port):
    try:
        return socket.create_server(("", port), backlog=1024)
    except OSError as error:
        raise UsageError(
            f"The chief cannot listen at port {port}: {error.strerror}. Is "
            "another run there?"
        ) from error


def _take(cluster, call, calls):
    """Notes who calls; an answer for all if that cannot be."""
    call.settimeout(5)
    try:
        index, addresses = _receive(call)
    except (OSError, ValueError, TypeError):  # not one of us
        return None
    twice = index in calls
    calls[(index, "again") if twice else index] = call
    if addresses != list(cluster.addresses):
        return (
            "refused",
            f"Worker {index} has the addresses {', '.join(addresses)}; the "
            f"chief has {', '.join(cluster.addresses)}. They must be the same.",
        )
    if twice:
        return (
            "refused",
            f"Two processes are worker {index}. Each needs an index of its "
            "own.",
        )
    return None


def _call(cluster, deadline, timeout):
    """Another worker's part: calls the chief until it answers."""
    host, _, port = cluster.addresses[0].rpartition(":")
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, int(port)), left) as call:
                _send(call, (cluster.index, list(cluster.addresses)))
                # The chief began to wait maybe later.
                call.settimeout(timeout + 5)
                return _receive(call)
        except (OSError, ValueError, TypeError):
            # Nobody yet, or the servers of a job that is about to end.
            time.sleep(_PAUSE)
    return (
        "missing",
        f"Worker 0, the chief, never answered at {cluster.addresses[0]} in "
        f"{timeout:.0f} s (--start_timeout).",
    )


def _send(call, message):
    with contextlib.suppress(OSError):  # it is gone; TensorFlow will notice
        call.sendall(json.dumps(message).encode() + b"\n")


def _receive(call):
    with call.makefile("rb") as file:
        first, second = json.loads(file.readline(_LONGEST))
    return first, second
