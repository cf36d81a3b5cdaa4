"""One file of the web into a part that a later call can resume."""

import http.client
import ipaddress
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from keras_resnet.errors import require

# The largest known file has 242 MB; more than this is not a weights file.
MAX_BYTES = 1 << 29
TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 20


def check_scheme(url):
    """Refuses all but https; http may be of a server on this machine.

    Raises:
        keras_resnet.UsageError: if it is another one.
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


def transfer(url, part):
    """Completes the file `part` with what the server has beyond it.

    Args:
        url: see `check_scheme`; redirections are followed under its rule.
        part: `pathlib.Path`, which need not exist. The server's ETag stands
            beside it: if the file on the server has changed since, or the
            server cannot resume, the part is written anew.

    Returns:
        Whether the beginning of the file is of an earlier call.

    Raises:
        OSError: of the network (`urllib.error.URLError`) or the disk.
        http.client.HTTPException: if the connection broke off.
        keras_resnet.UsageError: if the file is larger than MAX_BYTES.
    """
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, part, start)
    except urllib.error.HTTPError as error:
        unsatisfiable = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if error.code != unsatisfiable or not start:
            raise
        # Nothing follows the part: it is complete, or not of this file.
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return True
        remove(part)
        return transfer(url, part)
    with response:
        if not _resumes(response, start):
            start = 0
        etag = response.headers.get("ETag", "")
        _etag_file(part).write_text(etag, encoding="utf-8")
        _append(response, part, start)
    return start > 0


def remove(part):
    """Removes a part and the ETag beside it, as far as they exist."""
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)


def _etag_file(part):
    return part.with_name(part.name + ".etag")


def _open(url, part, start):
    check_scheme(url)
    headers = {"User-Agent": "keras_resnet"}
    if start:
        headers["Range"] = f"bytes={start}-"
        file = _etag_file(part)
        etag = file.read_text(encoding="utf-8") if file.exists() else ""
        # If the file has changed, the server sends all of the new one. A weak
        # ETag (W/"...") does not promise equal bytes and may not be sent.
        if etag.startswith('"'):
            headers["If-Range"] = etag
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_Redirects)
    return opener.open(request, timeout=TIMEOUT_SECONDS)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, as of GitHub's releases, but not out of https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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
    """Writes the rest of a file behind the first `start` bytes of `part`."""
    length = response.length  # None if the server does not say it
    total = None if length is None else start + length
    _check_size(total or 0, part)
    progress = _Progress(part.stem, total)
    done = start
    with open(part, "r+b" if start else "wb") as file:
        file.seek(start)
        while chunk := response.read(_CHUNK_BYTES):
            done += len(chunk)
            _check_size(done, part)
            file.write(chunk)
            progress.show(done)
        file.flush()
        os.fsync(file.fileno())
    progress.close()
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _check_size(num_bytes, part):
    if num_bytes > MAX_BYTES:
        remove(part)
    require(
        num_bytes <= MAX_BYTES,
        f"The file has more than {MAX_BYTES} bytes: it is not the weights "
        "of a network of this library.",
    )


class _Progress:
    """A line on a terminal, twice a second; nothing in a log file."""

    def __init__(self, name, total):
        self._name, self._total = name, total
        self._next, self._shown = 0.0, False

    def show(self, done):
        if not sys.stderr.isatty() or time.monotonic() < self._next:
            return
        of = f" of {self._total / 1e6:.1f}" if self._total else ""
        line = f"\r{self._name}: {done / 1e6:.1f}{of} MB"
        print(line, end="", file=sys.stderr, flush=True)
        self._next, self._shown = time.monotonic() + 0.5, True

    def close(self):
        if self._shown:
            print(file=sys.stderr)
