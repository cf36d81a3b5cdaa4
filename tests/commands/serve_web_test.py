"""The command serve_web sends an exported page to a browser, and only that."""

import contextlib
import os
import re
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request

import pages
import programs
import pytest

from keras_resnet.commands import serve_web
from keras_resnet.export.writers import web


@pytest.fixture
def page(tmp_path):
    """A page whose network and runtime nobody runs."""
    page = shutil.copytree(web.PAGE, tmp_path / "web")
    (page / "litert_js").mkdir()
    wasm = "litert_js/litert_wasm_compat_internal.wasm"
    for name in ("page.json", "model.tflite", "labels.txt", wasm):
        (page / name).write_bytes(b"{}")
    web.list_files(page)
    return page


def test_serve_web_sends_types_and_headers(page):
    kinds = {
        "": "text/html",
        "page.js": "text/javascript",
        "litert_js/litert_wasm_compat_internal.wasm": "application/wasm",
        "model.tflite": "application/octet-stream",
        "page.webmanifest": "application/manifest+json",
    }
    with pages.serving(page) as url:
        for name, kind in kinds.items():
            with urllib.request.urlopen(url + name) as answer:
                headers = answer.headers
            assert headers.get_content_type() == kind
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_serve_web_gives_files_of_the_page_alone(page, tmp_path):
    """The campaign's requests try more ways out (`soaking.page_requests`)."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for name in ("link", "samples/notes.txt"):
        (page / name).parent.mkdir(exist_ok=True)
        (page / name).write_text("")
    web.list_files(page)
    (page / "link").unlink()
    (page / "link").symlink_to(secret)  # in the place of a file that is listed
    os.mkfifo(page / "pipe")
    for name in (".env", "notes.txt", "samples/other.txt"):
        (page / name).write_text("secret")
    (page / "inside").symlink_to(page / "page.json")
    outside = ("../secret.txt", "link", "pipe", "%00", "samples/", "x" * 5000)
    outside += (".env", "..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd")
    outside += ("notes.txt", "samples/other.txt", "inside", "page.json/")
    with pages.serving(page) as url:
        for name in outside:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url + name, timeout=30)
        for name in ("page.json", "page.json?x=1", "samples/../page.json"):
            with urllib.request.urlopen(url + name) as answer:
                assert answer.read() == (page / "page.json").read_bytes()
        urllib.request.urlopen(url + "samples/notes.txt").close()
        secret.rename(page / "service_worker.js")  # a page that lists nothing
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url + "page.json", timeout=30)


def test_serve_web_answers_this_machine_alone(page):
    """A site whose own name resolves to this machine reads nothing."""
    with pages.serving(page) as url:
        for host, status in (
            ("localhost:9", 200),
            ("127.0.0.1", 200),
            ("[::1]:80", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("[", 421),
        ):
            request = urllib.request.Request(url, headers={"Host": host})
            try:
                found = urllib.request.urlopen(request, timeout=30).status
            except urllib.error.HTTPError as error:
                found = error.code
            assert found == status, host


def test_half_requests_hold_up_nobody(page, capfd):
    own = threading.active_count()  # of other tests in this process
    with pages.serving(page) as url, contextlib.ExitStack() as stack:
        port = int(url.rsplit(":")[-1].strip("/"))
        for _ in range(serve_web.Server.MOST + 8):
            half = socket.create_connection(("127.0.0.1", port), 30)
            stack.enter_context(half).sendall(b"GET /page.json HT")
        # One thread accepts. The threads of the oldest requests end, long
        # before a half request times out.
        most = own + 1 + serve_web.Server.MOST
        until = time.monotonic() + serve_web.Handler.timeout / 2
        while threading.active_count() > most and time.monotonic() < until:
            time.sleep(0.01)
        assert threading.active_count() <= most
        with urllib.request.urlopen(url + "page.json", timeout=30) as answer:
            assert answer.read() == (page / "page.json").read_bytes()
    assert "Traceback" not in capfd.readouterr().err


def test_serve_web_refuses_in_one_line(page, tmp_path):
    root = page.parent  # the folder of the whole export will do
    with pages.serving(root) as url:
        port = url.rsplit(":")[-1].strip("/")
        for arguments, message in (
            ([root, f"--port={port}"], "Cannot listen on port .*--port=0"),
            ([], "Expected one folder"),
            ([tmp_path / "nowhere"], "There is no page in"),
        ):
            done = programs.start_cold("serve_web", *arguments, cwd=tmp_path)
            assert done.returncode == 2
            assert re.match(f"ERROR: {message}.*\n$", done.stderr)
