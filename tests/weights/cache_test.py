"""Downloads from a server on this machine never give half a file."""

import hashlib
import os
import pathlib
import socket
import threading
import urllib.request

import pytest
from file_server import DATA
from file_server import NAME
from file_server import Server

from keras_resnet import UsageError
from keras_resnet.weights import cache
from keras_resnet.weights import download

CUT = 1_500_000  # bytes after which a download breaks off
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


def get(server, folder, checksum=MD5):
    return cache.cached_file(server.url, checksum=checksum, directory=folder)


def files(folder):
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}


def write_part(folder, content):
    """Writes what a process leaves if it ends during a download."""
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(content)


@pytest.mark.parametrize("checksum", [MD5, SHA256, SHA256[:15]])
def test_a_file_is_downloaded_once_and_then_served_offline(
    checksum, server, folder
):
    path = get(server, folder, checksum)
    assert path == folder / NAME
    server.status = 503
    assert get(server, folder, checksum).read_bytes() == DATA
    assert len(server.asked) == 1
    assert files(folder) == {NAME}


def test_offline_without_the_file_says_how_to_get_it(server, folder):
    server.shutdown()
    server.server_close()
    by_hand = f"Cannot reach .* from {server.url} to '{folder / NAME}'"
    with pytest.raises(UsageError, match=by_hand):
        get(server, folder)
    assert not files(folder)


def test_an_interrupted_download_is_resumed(server, folder):
    server.cut = CUT
    with pytest.raises(UsageError, match="broke off.*Call again"):
        get(server, folder)
    assert files(folder) == {f"{NAME}.part"}
    assert (folder / f"{NAME}.part").read_bytes() == DATA[:CUT]
    server.cut = None
    assert get(server, folder).read_bytes() == DATA
    assert server.asked == [None, f"bytes={CUT}-"]
    assert files(folder) == {NAME}


@pytest.mark.parametrize(
    "part, ranges, requests",
    [
        (DATA[:CUT], False, 1),  # a server that sends all again
        (DATA[::-1][:CUT], True, 2),  # a part of what the server had before
        (DATA, True, 1),  # the process ended before the rename
        (DATA + b"more", True, 2),
    ],
)
def test_whatever_a_part_holds_the_file_is_right(
    part, ranges, requests, server, folder
):
    write_part(folder, part)
    server.ranges = ranges
    assert get(server, folder).read_bytes() == DATA
    assert len(server.asked) == requests
    assert files(folder) == {NAME}


def test_an_answer_for_another_range_is_refused(server, folder):
    write_part(folder, DATA[:CUT])
    server.lie = "bytes 7-9/10"
    with pytest.raises(UsageError, match="server sent 'bytes 7-9/10'"):
        get(server, folder)
    assert NAME not in files(folder)


@pytest.mark.parametrize("part", [b"", DATA[:CUT]])
def test_a_wrong_checksum_leaves_nothing(part, server, folder):
    write_part(folder, part)
    wrong = "md5:" + "0" * 32
    with pytest.raises(UsageError, match=f"checksum {MD5}, expected {wrong}"):
        get(server, folder, wrong)
    assert not files(folder)


def test_a_cut_that_no_length_betrays_is_found_by_the_checksum(server, folder):
    server.says_length, server.cut = False, CUT
    with pytest.raises(UsageError, match="has the checksum"):
        get(server, folder)
    assert not files(folder)


@pytest.mark.parametrize("status", [404, 503, 416])
def test_an_error_of_the_server_is_told_and_keeps_the_part(
    status, server, folder
):
    part = b"" if status == 416 else DATA[:CUT]
    write_part(folder, part)
    server.status = status
    with pytest.raises(UsageError, match=f"answered {status}.*{NAME}"):
        get(server, folder)
    assert (folder / f"{NAME}.part").read_bytes() == part


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_that_is_too_large_is_not_kept(
    says_length, server, folder, monkeypatch
):
    monkeypatch.setattr(download, "MAX_BYTES", 2_000_000)
    server.says_length = says_length
    with pytest.raises(UsageError, match="more than 2000000 bytes"):
        get(server, folder)
    assert not files(folder)


def test_a_damaged_file_of_the_cache_is_replaced_or_refused(server, folder):
    path = get(server, folder)
    for status in (None, 503):
        path.write_bytes(DATA[:-1] + b"?")
        server.status = status
        with pytest.warns(UserWarning, match="is damaged"):
            if status is None:
                assert get(server, folder).read_bytes() == DATA
                continue
            with pytest.raises(UsageError, match="503"):
                get(server, folder)
    assert not files(folder)


def test_redirections_are_followed_to_known_servers_only(server, folder):
    server.location = f"{server.url}?moved"
    assert get(server, folder).read_bytes() == DATA
    (folder / NAME).unlink()
    with Server() as other:  # another port of the same machine
        for location, message in (
            (other.url, "sends on to another one"),
            ("https://example.org/net.pth", "sends on to another one"),
            ("http://example.org/net.pth", "https only"),
        ):
            server.location = location
            with pytest.raises(UsageError, match=message):
                get(server, folder)
        assert not other.asked
    assert not files(folder)


def test_a_release_of_github_is_where_github_sends_on_to():
    github = download._Redirects("https://github.com/a/b/releases/net.pth")
    request = urllib.request.Request("https://github.com/a")
    for host in download.REDIRECTED_TO:
        url = f"https://{host}/net.pth"
        sent = github.redirect_request(request, None, 302, "", {}, url)
        assert sent.full_url == url


@pytest.mark.parametrize("what", ["HEAD_SECONDS", "WINDOW_SECONDS"])
def test_a_byte_now_and_then_is_not_waited_for(
    what, server, folder, monkeypatch
):
    """Neither in the head of an answer nor after it."""
    monkeypatch.setattr(download, what, 0.2)
    if what == "WINDOW_SECONDS":
        server.pause = 0.05
        with pytest.raises(UsageError, match="less than 5,000 bytes a second"):
            get(server, folder)
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{NAME}"
        with pytest.raises(UsageError, match="broke off|Cannot reach"):
            cache.cached_file(url, checksum=MD5, directory=folder)


@pytest.mark.parametrize(
    "url, checksum, message",
    [
        ("http://127.0.0.1.example.org/net.pth", MD5, "https only.*Received"),
        ("file:///etc/hostname", MD5, "https only"),
        ("net.pth", MD5, "https only"),
        ("https://example.org/", MD5, "no file name"),
        ("https://example.org/..", MD5, "no file name"),
        ("https://example.org/a%2Fb", MD5, "no file name"),
        ("https://example.org/a.h5", "", "checksum must be"),
        ("https://example.org/a.h5", "sha256:0123", "checksum must be"),
        ("https://example.org/a.h5", MD5[:12], "checksum must be"),
    ],
)
def test_what_proves_or_names_too_little_is_refused(
    url, checksum, message, folder
):
    with pytest.raises(UsageError, match=message):
        cache.cached_file(url, checksum=checksum, directory=folder)
    assert not folder.exists()


def test_processes_wait_for_each_other(server, folder):
    """Eight calls for the same file make one request."""
    threads = [
        threading.Thread(target=get, args=(server, folder)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1
    assert files(folder) == {NAME}


def test_a_link_in_place_of_the_lock_is_not_followed(server, folder, tmp_path):
    (tmp_path / "precious").write_text("mine")
    folder.mkdir()
    (folder / f"{NAME}.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match="Cannot use the cache"):
        get(server, folder)
    assert (tmp_path / "precious").read_text() == "mine"
    assert not server.asked


@pytest.mark.parametrize("end", ["lock", "part"])
def test_nobody_waits_for_a_pipe_in_place_of_a_file(end, server, folder):
    folder.mkdir()
    os.mkfifo(folder / f"{NAME}.{end}")
    assert get(server, folder).read_bytes() == DATA


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_a_link_in_place_of_a_part_is_not_written_through(
    make, server, folder, tmp_path
):
    (tmp_path / "precious").write_text("mine")
    folder.mkdir()
    make(tmp_path / "precious", folder / f"{NAME}.part")
    assert get(server, folder).read_bytes() == DATA
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (folder / NAME).is_symlink()


def test_a_cache_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Set KERAS_HOME"):
        get(server, tmp_path / "file" / "models")


def test_the_cache_is_keras_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "models"
    monkeypatch.delenv("KERAS_HOME")
    home = pathlib.Path.home()
    assert cache.cache_directory() == home / ".keras" / "models"


def test_a_terminal_shows_the_progress(server, folder, monkeypatch, capsys):
    get(server, folder)
    assert capsys.readouterr().err == ""
    (folder / NAME).unlink()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    get(server, folder)
    assert "5.12M/5.12M" in capsys.readouterr().err
