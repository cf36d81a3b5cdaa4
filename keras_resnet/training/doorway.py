"""The chief's socket: a caller sends one line in time, or is dropped."""

import contextlib
import errno
import selectors
import socket
import time

from keras_resnet.errors import UsageError

LONGEST = 100_000  # bytes of a line: 1,024 addresses are 30,000
_PATIENCE = 5  # seconds for a caller to identify itself
_STRANGERS = 64  # unidentified calls that stay open at a time


def listen(address):
    """A socket that listens on the chief's own address only.

    If this machine does not have the address, as behind a gateway, it listens
    on all of its addresses.
    """
    host, _, port = address.rpartition(":")
    try:
        return _server(host, int(port))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL and not isinstance(
            error, socket.gaierror
        ):
            raise _cannot_listen(port, error) from error
    try:
        return socket.create_server(("", int(port)), backlog=1024)
    except OSError as error:
        raise _cannot_listen(port, error) from error


def _server(host, port):
    family, *_, place = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM
    )[0]
    return socket.create_server(place[:2], family=family, backlog=1024)


def _cannot_listen(port, error):
    return UsageError(
        f"The chief cannot listen at port {port}: {error.strerror}. Is "
        "another run there?"
    )


class Door:
    """The calls at a socket; no caller blocks the others.

    Args:
        server: a listening socket.
    """

    def __init__(self, server):
        self._server, self._selector = server, selectors.DefaultSelector()
        server.setblocking(False)  # a caller may be gone before `accept`
        self._selector.register(server, selectors.EVENT_READ)
        self._said = {}  # {connection: (bytes so far, deadline)}, in order
        self._known = []

    def lines(self, deadline):
        """Waits up to a second; yields (connection, line) of complete lines."""
        now = time.monotonic()
        for call, (_, until) in list(self._said.items()):
            if until < now:
                self._drop(call)
        left = min(max(deadline - now, 0), 1)
        for key, _ in self._selector.select(left):
            if key.fileobj is self._server:
                self._accept()
            elif key.fileobj in self._said:
                line = self._read(key.fileobj)
                if line:
                    yield key.fileobj, line

    def _accept(self):
        with contextlib.suppress(OSError):  # the caller is gone already
            call, _ = self._server.accept()
            call.setblocking(False)
            self._said[call] = b"", time.monotonic() + _PATIENCE
            self._selector.register(call, selectors.EVENT_READ)
        if len(self._said) > _STRANGERS:
            self._drop(next(iter(self._said)))

    def _read(self, call):
        """The line of a call, if complete; drops an ended or overlong call."""
        said, until = self._said[call]
        try:
            part = call.recv(LONGEST)
        except OSError:
            part = b""
        said += part
        if part and said.endswith(b"\n") and len(said) <= LONGEST:
            self._selector.unregister(call)
            del self._said[call]
            self._known.append(call)
            call.settimeout(_PATIENCE)
            return said
        self._said[call] = said, until
        if not part or len(said) > LONGEST:
            self._drop(call)
        return None

    def _drop(self, call):
        self._selector.unregister(call)
        del self._said[call]
        call.close()

    def close(self):
        """Ends all calls."""
        self._selector.close()
        for call in (*self._said, *self._known):
            call.close()
