"""A server on this machine for one file. It misbehaves as it is told."""

import contextlib
import http.server
import threading
import time

DATA = bytes(range(256)) * 20_000  # five chunks
NAME = "net-0123abcd.pth"


class Local(http.server.ThreadingHTTPServer):
    """A server on this machine, for as long as a `with` lasts."""

    daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Server(Local):
    """Serves `DATA`; its attributes say how it misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges = True  # whether it knows Range
        self.cut = None  # bytes after which an answer breaks off
        self.status = None  # an error to answer with
        self.location = None  # where to redirect to
        self.lie = None  # a Content-Range that it sends instead
        self.says_length = True
        self.pause = 0  # seconds after each byte; 0 sends all at once
        self.asked = []  # the Range of each request

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/files/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.status:
            self.send_error(server.status)
        elif server.location and "moved" not in self.path:
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
        else:
            self._send_file(server)

    def _send_file(self, server):
        wanted = server.ranges and self.headers.get("Range") or "bytes=0-"
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        self.send_header("Content-Range", server.lie or span)
        if server.says_length:
            self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may give up
            rest = DATA[start:][: server.cut]
            while server.pause:
                self.wfile.write(rest[:1])
                time.sleep(server.pause)
            self.wfile.write(rest)

    def log_message(self, *args):
        pass
