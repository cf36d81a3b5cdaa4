"""A local server with the paths that the Hugging Face hub's library asks."""

import base64
import hashlib
import http.server
import json
import re

import file_server
import huggingface_hub
import pytest
from huggingface_hub import constants

LARGE = (".safetensors", ".keras", ".h5", ".bin", ".pth")  # named by sha256


class Hub(file_server.Local):
    """Repositories in memory; its attributes say how it misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}  # {"owner/name": {file: bytes}}
        self.gated = set()  # names of repositories
        self.sent = {}  # {file: bytes that are sent instead}
        self.asked = []  # (method, path)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name, folder):
        """Makes a repository of the files of a folder."""
        self.repositories[name] = {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.is_file()
        }


def point_to(server, cache, patch):
    """Makes the hub's library ask a server, here and in child processes.

    Args:
        server: `Hub`.
        cache: folder.
        patch: `pytest.MonkeyPatch`.
    """
    for name in ("http", "https", "all"):
        patch.delenv(f"{name}_proxy", raising=False)
        patch.delenv(f"{name}_PROXY".upper(), raising=False)
    settings = {"HF_HUB_CACHE": str(cache), "HF_TOKEN_PATH": str(cache / "no")}
    for name, value in settings.items():
        patch.setenv(name, value)
        patch.setattr(constants, name, value)
    patch.setenv("HF_ENDPOINT", server.url)
    # The library read HF_ENDPOINT when it was imported.
    theirs = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(
        constants.ENDPOINT
    )
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + theirs)
    patch.setattr(constants, "ENDPOINT", server.url)
    huggingface_hub.close_session()  # the session has read the proxies


def commit_of(files):
    """The commit of a repository's content, 40 digits."""
    names = repr(
        sorted((n, hashlib.sha1(c).digest()) for n, c in files.items())
    )
    return hashlib.sha1(names.encode()).hexdigest()


def etag_of(name, content):
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self._file(body=False)

    def do_GET(self):
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+).*", self.path)
        if info:
            files = self.server.repositories.get(info[1])
            if files is None or info[1] in self.server.gated:
                return self._refuse(403, "GatedRepo")
            siblings = [{"rfilename": name} for name in files]
            return self._json(
                {"id": info[1], "sha": commit_of(files), "siblings": siblings}
            )
        return self._file(body=True)

    def do_POST(self):
        self.server.asked.append(("POST", self.path))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = re.match(r"/api/models/([^/]+/[^/]+)/(\w+)/", self.path)
        if name is None and self.path == "/api/repos/create":
            asked = json.loads(body)
            full = f"{asked['organization']}/{asked['name']}"
            if full in self.server.gated:
                return self._refuse(403, "GatedRepo")
            self.server.repositories.setdefault(full, {})
            return self._json({"url": f"{self.server.url}/{full}"})
        if name is None:  # validate-yaml
            return self._json({"warnings": [], "errors": []})
        if name[2] == "preupload":
            return self._json(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "regular",
                            "shouldIgnore": False,
                        }
                        for file in json.loads(body)["files"]
                    ]
                }
            )
        files = self.server.repositories[name[1]]
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                value = line["value"]
                files[value["path"]] = base64.b64decode(value["content"])
        return self._json(
            {
                "commitUrl": f"{self.server.url}/{name[1]}/commit/1",
                "commitOid": commit_of(files),
            }
        )

    def _file(self, body):
        self.server.asked.append((self.command, self.path))
        found = re.fullmatch(
            r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)(?:\?.*)?", self.path
        )
        files = self.server.repositories.get(found[1])
        if files is None:
            return self._refuse(401, "RepoNotFound")
        if found[1] in self.server.gated:
            return self._refuse(403, "GatedRepo")
        commit = commit_of(files)
        if found[2] not in ("main", "v1", commit):
            return self._refuse(404, "RevisionNotFound")
        name = found[3]
        if name not in files:
            return self._refuse(404, "EntryNotFound", commit)
        content = files[name]
        sent = self.server.sent.get(name, content)
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{etag_of(name, content)}"')
        if name.endswith(LARGE):
            self.send_header("X-Linked-Etag", f'"{etag_of(name, content)}"')
            self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", str(len(sent if body else content)))
        self.end_headers()
        if body:
            self.wfile.write(sent)

    def _json(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status, code, commit=None):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A `Hub` that the library asks, with an empty cache."""
    cache = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch, Hub() as server:
        point_to(server, cache, patch)
        yield server
    huggingface_hub.close_session()
