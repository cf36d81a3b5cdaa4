"""Workers that meet over real sockets, and those that do not."""

import concurrent.futures
import re
import socket
import time

import pytest

from keras_resnet import errors
from keras_resnet.training import rendezvous
from keras_resnet.training.cluster import Cluster


@pytest.fixture
def addresses():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = tuple(f"127.0.0.1:{s.getsockname()[1]}" for s in sockets)
    for opened in sockets:
        opened.close()
    return found


def _meet(clusters, timeout):
    """What each of them raises, or None."""
    with concurrent.futures.ThreadPoolExecutor(len(clusters)) as pool:
        calls = [pool.submit(rendezvous.meet, c, timeout) for c in clusters]
        return [call.exception() for call in calls]


def _clusters(addresses, *indices):
    return [Cluster(addresses=addresses, index=index) for index in indices]


def test_workers_meet_and_leave_the_port_free(addresses):
    for order in ((0, 1, 2), (2, 1, 0)):
        assert _meet(_clusters(addresses, *order), 30) == [None] * 3
    port = int(addresses[0].split(":")[1])
    socket.create_server(("127.0.0.1", port)).close()


def test_a_single_worker_waits_for_nobody(addresses):
    assert _meet(_clusters(addresses[:1], 0), 30) == [None]


@pytest.mark.parametrize(
    "there, message",
    [
        ((0, 2), "Worker 1 \\({}\\) never started"),
        ((1, 2), "chief, never answered at {}"),
    ],
)
def test_those_who_are_there_learn_who_is_missing(addresses, there, message):
    [absent] = {0, 1, 2} - {*there}
    for error in _meet(_clusters(addresses, *there), 1):
        assert isinstance(error, rendezvous.Missing)
        assert re.search(message.format(addresses[absent]), str(error))


@pytest.mark.parametrize(
    "index, address, message",
    [
        (1, None, "Two processes are worker 1"),
        (2, "elsewhere:1", "Worker 2 has the addresses .*elsewhere:1"),
    ],
)
def test_a_worker_that_is_none_of_the_others_is_refused(
    addresses, index, address, message
):
    other = (*addresses[:2], address or addresses[2])
    clusters = _clusters(addresses, 0, 1) + _clusters(other, index)
    found = _meet(clusters, 5)
    assert isinstance(found[0], errors.UsageError)
    assert re.search(message, str(found[0]))


def _connection(host, port):
    """A connection, once the other side listens."""
    for _ in range(100):
        try:
            return socket.create_connection((host, port))
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise AssertionError(f"Nobody listens at {port}.")


def test_a_stranger_at_the_chiefs_port_does_not_count(addresses):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(rendezvous.meet, *_clusters(addresses[:2], 0), 2)
        host, port = addresses[0].split(":")
        for text in (b"GET / HTTP/1.1\r\n\r\n", b'{"a": 1}\n', b"7\n", b""):
            with _connection(host, int(port)) as stranger:
                stranger.sendall(text)
        assert isinstance(call.exception(), rendezvous.Missing)


def test_a_port_that_another_program_has_is_named(addresses):
    port = int(addresses[0].split(":")[1])
    with socket.create_server(("", port)):
        (error,) = _meet(_clusters(addresses, 0), 1)
    assert isinstance(error, errors.UsageError)
    assert f"cannot listen at port {port}" in str(error)
