"""Shows an exported page in a browser of this machine.

keras-resnet serve_web exported/web

Any static server will do. This one sends the headers that isolate the page
from other sites, without which browsers give it one thread only.
"""

import contextlib
import functools
import http
import http.server
import pathlib
import socket
import sys
import threading
import urllib.parse

from absl import flags

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import artifact

FLAGS = flags.FLAGS
flags.DEFINE_integer(
    "port",
    8000,
    "Where it listens; 0 takes a free one.",
    lower_bound=0,
    upper_bound=65535,
)

HOST = "127.0.0.1"  # a page with a camera needs https, or this machine

# The hosts that a browser of this machine asks for. Another site can have a
# name that leads here too; its pages could then read this one.
HOSTS = ("localhost", "127.0.0.1", "::1")

PARTS = ("page.json", artifact.SERVICE_WORKER)  # which each page has

HEADERS = {
    "Cache-Control": "no-cache",  # always the export that is there now
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the types and headers that the page needs.

    Only files that the page lists (`artifact.page_files`); no link out of its
    folder is followed.
    """

    timeout = 30  # seconds without a byte of a request

    # Not from the machine's own table, which can be wrong.
    extensions_map = {
        "": "application/octet-stream",
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
    }

    def send_head(self):
        if not self._is_for_us():
            self.send_error(http.HTTPStatus.MISDIRECTED_REQUEST)
        elif not self._is_of_page():
            self.send_error(http.HTTPStatus.NOT_FOUND)
        else:
            return super().send_head()
        return None

    def _is_for_us(self):
        """Whether a request is for this machine; old clients do not say."""
        try:
            asked = urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}")
            return asked.hostname in (None, *HOSTS)
        except ValueError:
            return False

    def _is_of_page(self):
        root = pathlib.Path(self.directory)
        asked = pathlib.Path(self.translate_path(self.path))
        name = "index.html" if asked == root else asked.relative_to(root)
        try:
            listed = str(name) in artifact.page_files(root)
            path = (root / name).resolve() if listed else root
            return path.is_relative_to(root.resolve()) and path.is_file()
        except OSError:
            return False

    def end_headers(self):
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code="-", size="-"):
        """Logs nothing on success; errors have a line of their own."""


class Server(http.server.ThreadingHTTPServer):
    """Answers `MOST` requests at a time: the oldest makes room for a new one.

    An unfinished request, or a client that does not read, delays nobody.
    """

    MOST = 32

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._open, self._lock = {}, threading.Lock()  # in their order

    def process_request(self, request, client_address):
        with self._lock:
            if len(self._open) >= self.MOST:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = True
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Says nothing if the browser has gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def page_folder(path):
    """The folder of the page: `path` itself, or web/ in an export.

    Returns:
        `pathlib.Path`, or None if there is no page.
    """
    for folder in (pathlib.Path(path), pathlib.Path(path) / "web"):
        if all((folder / name).is_file() for name in PARTS):
            return folder
    return None


def server(folder, port):
    """A server of a folder, not yet running.

    Raises:
        OSError: if the port is taken or not allowed.
    """
    handler = functools.partial(Handler, directory=str(folder))
    return Server((HOST, port), handler)


def main(args):
    require(
        len(args) == 1,
        "Expected one folder, as keras-resnet export writes it with "
        f"--formats=web. Received: {' '.join(args) or 'none'}.",
    )
    folder = page_folder(args[0])
    require(
        folder is not None,
        f"There is no page in {args[0]!r}: it lacks {' or '.join(PARTS)}. "
        "Write one with keras-resnet export --formats=web.",
    )
    try:
        pages = server(folder, FLAGS.port)
    except OSError as error:
        raise UsageError(
            f"Cannot listen on port {FLAGS.port}: {error.strerror}. Pass "
            "another --port, or --port=0 for a free one."
        ) from error
    print(f"{folder} is at http://localhost:{pages.server_port}/", flush=True)
    print("Ctrl-C ends it.", flush=True)
    try:
        pages.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0
