"""Requests to the server of an exported page: its files and nothing else."""

import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys

from soaking import forked
from soaking import whole
from soaking.verdict import check

SERVE = pathlib.Path(__file__).resolve().parents[1] / "serve_web.py"
SECRET = b"not a part of the page"
SECONDS = 60  # without an answer


def make(folder):
    """A page without its runtime; beside it a secret, and a link to it."""
    from keras_resnet.export.writers import web

    page = folder / "page"
    shutil.copytree(web.PAGE, page)
    names = ("page.json", "labels.txt", "samples/00.png", "model.tflite")
    whole.write(page, {name: b"{} " + name.encode() for name in names})
    web.list_files(page)
    # Files that somebody has left there are not part of the page.
    for path in (folder / "secret.txt", page / "notes.txt"):
        path.write_bytes(SECRET)
    (page / "link.txt").symlink_to(folder / "secret.txt")
    os.mkfifo(page / "pipe")


class Corpus:
    """A server of the page in a process of its own, and its files."""

    def __init__(self, folder):
        page = folder / "page"
        self.files = whole.read(page)
        self.log = folder / "server.log"
        self.process = subprocess.Popen(
            [sys.executable, str(SERVE), "--port=0", str(page)],
            stdout=subprocess.PIPE,
            stderr=self.log.open("wb"),
            preexec_fn=forked.die_with_parent,
            text=True,
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)/", line)[1])


load = Corpus

_METHODS = ("GET",) * 8 + ("HEAD", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
_METHODS += ("TRACE", "get", "", "G" * 3000)
_VERSIONS = ("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9")
_VERSIONS += ("", "HTTP/", "HTTP/1.x", "http/1.1")
_PARTS = (
    "..", ".", "", "%2e%2e", "%2E%2e%2f", "%00", "%0d%0a", "%", "%zz", "%ff",
    "\\", "..\\", "~", "*", ":", "?x=1", "#x", "samples", "secret.txt", "etc",
    "passwd", "\u00e9", "a" * 2000, "index.html", "page.json/",
    "link.txt", "pipe",
)  # fmt: skip
_HEADERS = (
    "Host: localhost", "Range: bytes=0-", "Range: bytes=5-2", "Range: x",
    "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT",
    "If-Modified-Since: x", "Content-Length: -1", "Content-Length: x",
    "Expect: 100-continue", "Connection: keep-alive", "Host: evil.example",
    "Transfer-Encoding: chunked", "x" * 70000, "no colon", ": empty",
)  # fmt: skip


def mutate(corpus, rng):
    """{"request", "what"}: one request, whole or not."""
    if rng.random() < 0.05:
        noise = rng.randbytes(rng.choice((1, 50, 9000)))
        return {"request": noise, "what": "noise"}
    name = rng.choice([*corpus.files, "link.txt", "pipe", "samples/"])
    path = "/" + name if rng.random() < 0.3 else _path(name, rng)
    headers = [rng.choice(_HEADERS) for _ in range(rng.choice((0, 1, 1, 2)))]
    line = f"{rng.choice(_METHODS)} {path} {rng.choice(_VERSIONS)}"
    text = "\r\n".join([line, *headers, "", ""])
    data = text.encode("utf-8", "surrogateescape")
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data))]
    return {"request": data, "what": repr(data[:100])}


def _path(name, rng):
    parts = name.split("/")
    for _ in range(rng.choice((1, 1, 2, 4))):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(_PARTS))
    begin = rng.choice(("/", "/", "/", "//", "", "http://localhost/"))
    return begin + rng.choice(("/", "/", "/", "//", "%2f")).join(parts)


def judge(corpus, case, folder):
    """One answer, from the page alone; the server goes on, no traceback."""
    del folder
    said = corpus.log.stat().st_size
    answer = _ask(corpus.port, case["request"])
    check(SECRET not in answer, "gives a file from outside of the page")
    _judge_answer(corpus.files, case["request"], answer)
    page = _ask(corpus.port, b"GET /page.json HTTP/1.0\r\n\r\n")
    check(page.endswith(corpus.files["page.json"]), "does not answer any more")
    check(corpus.process.poll() is None, "the server has ended")
    with corpus.log.open("rb") as log:
        log.seek(said)
        words = log.read().decode(errors="replace")
    check("Traceback" not in words, f"traceback: {words.strip()[-150:]}")


def _judge_answer(pages, request, answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not status:  # HTTP/0.9 has no head; half a request may get no answer
        known = not answer or answer in pages.values()
        known = known or b"<html" in answer.lower()
        return check(known, f"answers {answer[:60]!r}")
    code = int(status[1])
    # An unknown method or version is no error of the server.
    check(code < 500 or code in (501, 505), f"answers {head[:60]!r}")
    if code == 200 and not request.startswith(b"HEAD"):
        of_page = body in pages.values()
        check(of_page, f"200 is no file of the page: {body[:60]!r}")


def _ask(port, request):
    """All that the server says until it closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            while select.select([line], [], [], SECONDS)[0]:
                part = line.recv(65536)
                if not part:
                    return answer
                answer += part
        except TimeoutError:
            pass
        except OSError:  # closed in the middle of a long request
            return answer
    check(False, f"no end of an answer in {SECONDS} s")
