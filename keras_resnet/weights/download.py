"""Downloads one file into a part that a later call can resume."""

import contextlib
import http.client
import ipaddress
import os
import socket
import stat
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import tqdm

from keras_resnet import files
from keras_resnet.errors import require

# The largest known file has 242 MB; more than this is not a weights file.
MAX_BYTES = 1 << 29
TIMEOUT_SECONDS = 30  # without a byte
HEAD_SECONDS = 60  # until an answer has begun
# Slower downloads are ended; none takes more than 30 hours.
MIN_BYTES_A_SECOND = 5_000
WINDOW_SECONDS = 60
_CHUNK_BYTES = 1 << 20

# Where URLs of the weights table redirect: GitHub has its releases elsewhere.
REDIRECTED_TO = (
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
)


def check_scheme(url):
    """Refuses all but https, and http from a server on this machine.

    Raises:
        keras_resnet.UsageError: if it is another scheme.
    """
    parts = urllib.parse.urlsplit(url)
    require(
        parts.scheme == "https"
        or (parts.scheme == "http" and _is_loopback(parts.hostname)),
        f"Weights are downloaded by https only. Received: {url!r}.",
    )


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def complete(part, url):
    """Appends what the server has beyond the bytes of a part.

    Args:
        part: `pathlib.Path`, which need not exist. A checksum must tell
            whether its beginning is of the same file. Anything but a regular
            file with one name, such as a link, is replaced.
        url: see `check_scheme`; redirections are followed to the same server
            and to `REDIRECTED_TO`.

    Raises:
        OSError: of the network (`urllib.error.URLError`) or the disk.
        http.client.HTTPException: if the connection broke off.
        keras_resnet.UsageError: if the file is larger than MAX_BYTES, or the
            server redirects to another one.
    """
    check_scheme(url)
    start = _held(part)
    headers = {"User-Agent": "keras_resnet"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_Redirects(url), _Http, _Https)
    try:
        response = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        nothing_follows = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if start and error.code == nothing_follows:
            return
        raise
    with response:
        _append(response, part, start if _resumes(response, start) else 0)


def _held(part):
    """Bytes of an earlier download; removes links and the like."""
    try:
        status = os.lstat(part)
    except FileNotFoundError:
        return 0
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return status.st_size
    os.unlink(part)
    return 0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to the same server and to known ones."""

    def __init__(self, url):
        self._server = _server(url)

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        check_scheme(newurl)
        require(
            _server(newurl) == self._server
            or _server(newurl) in [("https", h, None) for h in REDIRECTED_TO],
            f"The server sends on to another one, which is not asked: "
            f"{newurl!r}.",
        )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _server(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


class _Patience:
    """A connection whose answer must begin in time, even if bytes trickle."""

    def getresponse(self):
        timer = threading.Timer(HEAD_SECONDS, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()

    def _hang_up(self):
        with contextlib.suppress(OSError, AttributeError):  # it has ended
            self.sock.shutdown(socket.SHUT_RDWR)


class _Connection(_Patience, http.client.HTTPConnection):
    pass


class _SecureConnection(_Patience, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req):
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req):
        return self.do_open(_SecureConnection, req, context=self._context)


def _resumes(response, start):
    """Whether an answer goes on at byte `start`; else it is the whole file."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return False
    sent = response.headers.get("Content-Range", "")
    if not sent.startswith(f"bytes {start}-"):
        raise http.client.HTTPException(
            f"asked for what follows byte {start}, the server sent {sent!r}"
        )
    return True


def _append(response, part, start):
    """Writes the rest of a file after the first `start` bytes of `part`."""
    length = response.length  # None if the server does not say it
    total = None if length is None else start + length
    _check_size(total or 0, part)
    progress = tqdm.tqdm(
        desc=part.stem,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        disable=not sys.stderr.isatty(),  # nothing in a log file
    )
    if not start:
        files.create(part)
    pace = _Pace(start)
    with progress, open(part, "r+b") as file:
        file.seek(start)
        # read1 returns what is there; read would wait for a whole chunk.
        while chunk := response.read1(_CHUNK_BYTES):
            _check_size(file.tell() + len(chunk), part)
            pace.check(file.tell())
            file.write(chunk)
            progress.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
        missing = (total or 0) - file.tell()
    if missing > 0:
        raise http.client.IncompleteRead(b"", missing)


class _Pace:
    """Ends a download that is too slow for a while."""

    def __init__(self, num_bytes):
        self._bytes, self._since = num_bytes, time.monotonic()

    def check(self, num_bytes):
        """Takes note of how many bytes are there.

        Raises:
            TimeoutError: if there are too few for the time.
        """
        seconds = time.monotonic() - self._since
        if seconds < WINDOW_SECONDS:
            return
        if num_bytes - self._bytes < MIN_BYTES_A_SECOND * seconds:
            raise TimeoutError(
                f"it brings less than {MIN_BYTES_A_SECOND:,} bytes a second"
            )
        self._bytes, self._since = num_bytes, time.monotonic()


def _check_size(num_bytes, part):
    if num_bytes > MAX_BYTES:
        part.unlink(missing_ok=True)
    require(
        num_bytes <= MAX_BYTES,
        f"The file has more than {MAX_BYTES} bytes: it is not the weights "
        "of a network of this library.",
    )
