"""Downloads against a server on this machine: never a half file."""

import contextlib
import hashlib
import http.server
import pathlib
import threading

import pytest

from keras_resnet import UsageError
from keras_resnet.weights import cache
from keras_resnet.weights import download

DATA = bytes(range(256)) * 20_000  # five chunks
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()
NAME = "net-0123abcd.pth"


class Server(http.server.ThreadingHTTPServer):
    """Serves `data`; its attributes say how it misbehaves."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag = DATA, '"one"'
        self.ranges = True  # whether it knows Range
        self.cut = None  # bytes after which an answer breaks off
        self.status = None  # an error to answer with
        self.location = None  # where to redirect to
        self.lie = None  # a Content-Range that it sends instead
        self.says_length = True
        self.requests = []  # the headers of each

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/files/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if server.status:
            self.send_error(server.status)
        elif server.location:
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
        else:
            self._send_file(server)

    def _send_file(self, server):
        size, start = len(server.data), self._start(server)
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{size - 1}/{size}"
            self.send_header("Content-Range", server.lie or span)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.says_length:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the client may give up
            self.wfile.write(server.data[start:][: server.cut])

    def _start(self, server):
        wanted = self.headers.get("Range")
        same = self.headers.get("If-Range", server.etag) == server.etag
        if not (wanted and same and server.ranges):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


def get(server, folder, checksum=MD5):
    return cache.cached_file(server.url, checksum=checksum, directory=folder)


def files(folder):
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}


def interrupt(server, folder, after=1_500_000):
    """A download that breaks off, and leaves a part and nothing else."""
    server.cut = after
    with pytest.raises(UsageError, match="broke off.*Call again"):
        get(server, folder)
    server.cut = None
    assert files(folder) == {f"{NAME}.part", f"{NAME}.part.etag"}
    assert (folder / f"{NAME}.part").read_bytes() == DATA[:after]


@pytest.mark.parametrize(
    "checksum", [MD5, SHA256, SHA256[: len("sha256:") + 8]]
)
def test_a_file_is_downloaded_once_and_verified_each_time(
    checksum, server, folder, monkeypatch
):
    digests = []
    digest = cache._digest
    monkeypatch.setattr(
        cache, "_digest", lambda *args: digests.append(args) or digest(*args)
    )
    for _ in range(2):
        path = get(server, folder, checksum)
        assert path == folder / NAME
        assert path.read_bytes() == DATA
    assert len(server.requests) == 1
    assert [path.name for path, _ in digests] == [f"{NAME}.part", NAME]
    assert files(folder) == {NAME}


def test_offline_the_cache_serves(server, folder):
    path = get(server, folder)
    server.shutdown()
    server.server_close()
    assert get(server, folder) == path


def test_offline_without_the_file_says_how_to_get_it(server, folder):
    server.shutdown()
    server.server_close()
    with pytest.raises(UsageError) as caught:
        get(server, folder)
    message = str(caught.value)
    assert "Cannot reach" in message
    assert f"from {server.url} to {str(folder / NAME)!r}" in message
    assert not files(folder)


def test_an_interrupted_download_is_resumed(server, folder):
    interrupt(server, folder)
    assert get(server, folder).read_bytes() == DATA
    assert server.requests[1]["Range"] == "bytes=1500000-"
    assert server.requests[1]["If-Range"] == '"one"'
    assert files(folder) == {NAME}


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_it_is_resumed_without_a_strong_etag(etag, server, folder):
    server.etag = etag
    interrupt(server, folder)
    assert get(server, folder).read_bytes() == DATA
    assert "If-Range" not in server.requests[1]
    assert len(server.requests) == 2


def test_a_server_that_cannot_resume_sends_all_again(server, folder):
    server.ranges = False
    interrupt(server, folder)
    assert get(server, folder).read_bytes() == DATA
    assert len(server.requests) == 2


def test_a_file_that_has_changed_meanwhile_is_not_stitched(server, folder):
    server.data = DATA[::-1]
    server.cut = 1_500_000
    with pytest.raises(UsageError, match="broke off"):
        get(server, folder)
    server.data, server.cut, server.etag = DATA, None, '"two"'
    assert get(server, folder).read_bytes() == DATA
    assert len(server.requests) == 2


def test_a_stitched_file_is_fetched_again_whole(server, folder):
    """No ETag told that the beginning is of another file."""
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(DATA[::-1][:1_500_000])
    assert get(server, folder).read_bytes() == DATA
    assert [r.get("Range") for r in server.requests] == ["bytes=1500000-", None]


def test_a_complete_part_is_verified_and_taken(server, folder):
    """The process ended between download and renaming."""
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(DATA)
    assert get(server, folder).read_bytes() == DATA
    assert len(server.requests) == 1
    assert files(folder) == {NAME}


def test_a_part_that_is_too_long_is_fetched_again(server, folder):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(DATA + b"more")
    assert get(server, folder).read_bytes() == DATA


def test_an_answer_for_another_range_is_refused(server, folder):
    interrupt(server, folder)
    server.lie = "bytes 7-9/10"
    with pytest.raises(UsageError, match="server sent 'bytes 7-9/10'"):
        get(server, folder)
    assert NAME not in files(folder)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_wrong_checksum_leaves_nothing(resumed, server, folder):
    if resumed:
        interrupt(server, folder)
    wrong = "md5:" + "0" * 32
    with pytest.raises(UsageError) as caught:
        get(server, folder, wrong)
    assert MD5 in str(caught.value)
    assert wrong in str(caught.value)
    assert not files(folder)


def test_a_cut_that_no_length_betrays_is_found_by_the_checksum(server, folder):
    server.says_length, server.cut = False, 1_500_000
    with pytest.raises(UsageError, match="has the checksum"):
        get(server, folder)
    assert not files(folder)


@pytest.mark.parametrize("status", [404, 403, 500, 416])
def test_an_error_of_the_server_is_told(status, server, folder):
    server.status = status
    with pytest.raises(UsageError, match=f"answered {status}.*{NAME}"):
        get(server, folder)
    assert not files(folder)


def test_an_error_of_the_server_keeps_the_part(server, folder):
    interrupt(server, folder)
    server.status = 503
    with pytest.raises(UsageError, match="answered 503"):
        get(server, folder)
    assert f"{NAME}.part" in files(folder)


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_that_is_too_large_is_not_kept(
    says_length, server, folder, monkeypatch
):
    monkeypatch.setattr(download, "MAX_BYTES", 2_000_000)
    server.says_length = says_length
    with pytest.raises(UsageError, match="more than 2000000 bytes"):
        get(server, folder)
    assert not files(folder)


def test_a_damaged_file_of_the_cache_is_replaced(server, folder):
    path = get(server, folder)
    path.write_bytes(DATA[:-1] + b"?")
    with pytest.warns(UserWarning, match="is damaged"):
        assert get(server, folder).read_bytes() == DATA


def test_a_damaged_file_is_not_used_offline(server, folder):
    path = get(server, folder)
    path.write_bytes(DATA[:100])
    server.status = 503
    with pytest.warns(UserWarning, match="is damaged"):
        with pytest.raises(UsageError, match="503"):
            get(server, folder)
    assert not files(folder)


def test_redirections_are_followed_on_https_only(server, folder):
    with Server() as target:
        threading.Thread(target=target.serve_forever, args=(0.01,)).start()
        server.location = target.url
        assert get(server, folder).read_bytes() == DATA
        target.shutdown()
    (folder / NAME).unlink()
    for location in ("http://example.org/net.pth", "ftp://127.0.0.1/net.pth"):
        server.location = location
        with pytest.raises(UsageError, match="https only|answered 302"):
            get(server, folder)
    assert not files(folder)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/net.pth",
        "http://127.0.0.1.example.org/net.pth",
        "ftp://example.org/net.pth",
        "file:///etc/hostname",
        "net.pth",
    ],
)
def test_other_schemes_are_refused(url, folder):
    with pytest.raises(UsageError, match="https only.*Received"):
        cache.cached_file(url, checksum=MD5, directory=folder)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a%2Fb", "a\\b"])
def test_a_name_that_is_not_plain_is_refused(name, folder):
    with pytest.raises(UsageError, match="no file name"):
        cache.cached_file(
            f"https://example.org/{name}", checksum=MD5, directory=folder
        )


@pytest.mark.parametrize(
    "checksum", ["", "md5:", "sha256:0123", "crc32:01234567", MD5[:12]]
)
def test_a_checksum_that_proves_little_is_refused(checksum, folder):
    with pytest.raises(UsageError, match="checksum must be"):
        cache.cached_file(
            "https://example.org/a.h5", checksum=checksum, directory=folder
        )


def test_processes_wait_for_each_other(server, folder):
    """Eight wishes for the same file are one request."""
    threads = [
        threading.Thread(target=get, args=(server, folder)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert files(folder) == {NAME}


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
    assert f"\r{NAME}: 1.0 of 5.1 MB" in capsys.readouterr().err
