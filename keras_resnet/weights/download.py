"""One file of the web into a part that a later call can resume."""

import http.client
import ipaddress
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

import tqdm

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


def complete(part, url):
    """Appends what the server has beyond the bytes of a part.

    Args:
        part: `pathlib.Path`, which need not exist. Whether its beginning is of
            the same file, a checksum must tell.
        url: see `check_scheme`; redirections are followed under its rule.

    Raises:
        OSError: of the network (`urllib.error.URLError`) or the disk.
        http.client.HTTPException: if the connection broke off.
        keras_resnet.UsageError: if the file is larger than MAX_BYTES.
    """
    check_scheme(url)
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "keras_resnet"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_Redirects)
    try:
        response = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        nothing_follows = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if start and error.code == nothing_follows:
            return
        raise
    with response:
        _append(response, part, start if _resumes(response, start) else 0)


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
    progress = tqdm.tqdm(
        desc=part.stem,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        disable=not sys.stderr.isatty(),  # nothing in a log file
    )
    with progress, open(part, "r+b" if start else "wb") as file:
        file.seek(start)
        while chunk := response.read(_CHUNK_BYTES):
            _check_size(file.tell() + len(chunk), part)
            file.write(chunk)
            progress.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
        missing = (total or 0) - file.tell()
    if missing > 0:
        raise http.client.IncompleteRead(b"", missing)


def _check_size(num_bytes, part):
    if num_bytes > MAX_BYTES:
        part.unlink(missing_ok=True)
    require(
        num_bytes <= MAX_BYTES,
        f"The file has more than {MAX_BYTES} bytes: it is not the weights "
        "of a network of this library.",
    )
