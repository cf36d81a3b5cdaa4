"""Workers that meet over real sockets, and those that do not."""

import concurrent.futures
import contextlib
import json
import re
import socket
import time

import pytest

from keras_resnet import errors
from keras_resnet.training import doorway
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


def _clusters(addresses, *indices, token="secret"):
    return [
        Cluster(addresses=addresses, index=index, token=token)
        for index in indices
    ]


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


STRANGERS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b'{"a": 1}\n',
    b"7\n",
    b"",
    b"[[], []]\n",
    b"[1, 5]\n",
    b'[{}, "x", null]\n',
    b'[1, ["x"]]\n',
    b'[1, ["x"], ""]\n',
    b'["go", "", "0"]\n',
    b"[1, ",  # half a message, whose other half never comes
    b"[" * 90_000 + b"\n",
    b"x" * 200_000,
]


@pytest.mark.parametrize("token", ["secret", ""])
def test_strangers_at_the_chiefs_port_are_in_nobodys_way(addresses, token):
    """They call before the others and hold their calls open."""
    clusters = _clusters(addresses[:2], 0, 1, token=token)
    host, port = addresses[0].split(":")
    with (
        contextlib.ExitStack() as stack,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        chief = pool.submit(rendezvous.meet, clusters[0], 30)
        for text in STRANGERS:
            stranger = stack.enter_context(_connection(host, int(port)))
            with contextlib.suppress(OSError):  # the chief may hang up
                stranger.sendall(text)
        rendezvous.meet(clusters[1], 30)
        assert chief.result() is None


def test_more_calls_than_are_listened_to_keep_nobody_out(addresses):
    clusters = _clusters(addresses[:2], 0, 1)
    host, port = addresses[0].split(":")
    with (
        contextlib.ExitStack() as stack,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        chief = pool.submit(rendezvous.meet, clusters[0], 30)
        for _ in range(doorway._STRANGERS + 10):
            stack.enter_context(_connection(host, int(port)))
        rendezvous.meet(clusters[1], 30)
        assert chief.result() is None


def test_another_token_is_a_strangers(addresses):
    found = _meet(
        _clusters(addresses[:2], 0)
        + _clusters(addresses[:2], 1, token="guessed"),
        1,
    )
    assert {type(error) for error in found} == {rendezvous.Missing}


def test_without_a_token_other_addresses_end_their_owner_alone(addresses):
    clusters = _clusters(addresses[:2], 0, token="")
    other = ("elsewhere:1", addresses[1])
    line = json.dumps([1, other, rendezvous._code(clusters[0], [1, other])])
    host, port = addresses[0].split(":")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        chief = pool.submit(rendezvous.meet, clusters[0], 30)
        with _connection(host, int(port)) as call:
            call.sendall(line.encode() + b"\n")
            assert "They must be the same" in call.makefile().readline()
        assert _meet(_clusters(addresses[:2], 1, token=""), 30) == [None]
        assert chief.result() is None


def test_the_chief_listens_at_its_own_address_alone(addresses):
    with doorway.listen(addresses[0]) as server:
        assert server.getsockname()[0] == "127.0.0.1"
    with doorway.listen("203.0.113.7:0") as server:  # behind a gateway
        assert server.getsockname()[0] == "0.0.0.0"


def test_a_port_that_another_program_has_is_named(addresses):
    port = int(addresses[0].split(":")[1])
    with socket.create_server(("", port)):
        (error,) = _meet(_clusters(addresses, 0), 1)
    assert isinstance(error, errors.UsageError)
    assert f"cannot listen at port {port}" in str(error)
