"""Files from the web in Keras' cache: whole and checked, or not at all.

A download goes to `NAME.part` beside its place and is renamed only after its
checksum has been verified, so a file with the final name is complete. An
interrupted download leaves its part and the next one resumes it.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import re
import ssl
import urllib.error
import urllib.parse
import warnings

import filelock

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.weights import download

_CHECKSUM = r"(md5:[0-9a-f]{32}|sha256:[0-9a-f]{8,64})"


def cache_directory():
    """Where Keras keeps weights: `$KERAS_HOME/models`, or `~/.keras/models`.

    Deviation from Keras: if the home directory cannot be written, Keras takes
    /tmp/.keras, where other users could place files; we refuse.
    """
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return pathlib.Path(home).expanduser() / "models"


def has(url):
    """Whether the cache has a file of the web, whole or not."""
    return (cache_directory() / _file_name(url)).is_file()


def cached_file(url, *, checksum, directory=None):
    """The path of a file of the web, downloaded unless the cache has it.

    Args:
        url: https only; http is for a server on this machine.
        checksum: "md5:DIGITS" or "sha256:DIGITS", hexadecimal. For sha256 a
            prefix of 8 digits or more will do, as torch's file names carry.
        directory: of the cache. Default: `cache_directory()`.

    Returns:
        `pathlib.Path` of a complete file whose checksum has just been
        verified, downloaded or not.

    Raises:
        keras_resnet.UsageError: if the file is neither in the cache nor
            available: no network, an error of the server, a connection that
            broke (the next call resumes), or another checksum.
    """
    require(
        re.fullmatch(_CHECKSUM, checksum),
        "checksum must be 'md5:' and 32 or 'sha256:' and 8 to 64 hexadecimal "
        f"digits. Received: {checksum!r}.",
    )
    name = _file_name(url)
    path = pathlib.Path(directory or cache_directory()) / name
    with _explained(url, path):
        if _is_sound(path, checksum):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        # FileLock opens no link under this name, and does not wait for a pipe.
        with filelock.FileLock(path.with_name(f"{name}.lock")):
            # Another process may have had the lock, and downloaded the file.
            if not _is_sound(path, checksum):
                _download(url, path, checksum)
    return path


def _file_name(url):
    download.check_scheme(url)
    name = urllib.parse.urlsplit(url).path.rpartition("/")[2]
    require(
        re.fullmatch(r"\w[\w.-]*", name),
        f"There is no file name at the end of {url!r}.",
    )
    return name


def _is_sound(path, checksum):
    """Whether a file is there with its checksum; else it is removed."""
    if not path.is_file():
        return False
    found = _digest(path, checksum)
    if found.startswith(checksum):
        return True
    warnings.warn(
        f"{str(path)!r} is damaged: its checksum is {found}, expected "
        f"{checksum}. It is removed and downloaded again.",
        stacklevel=4,
    )
    path.unlink(missing_ok=True)
    return False


def _digest(path, checksum):
    """The checksum of a file by the same hash: "md5:..." for example."""
    kind = checksum.partition(":")[0]

    def new():
        # This only finds damage; https keeps others out. Keras publishes md5,
        # torch 8 digits.
        return hashlib.new(kind, usedforsecurity=False)

    with open(path, "rb") as file:
        return f"{kind}:{hashlib.file_digest(file, new).hexdigest()}"


def _download(url, path, checksum):
    part = path.with_name(f"{path.name}.part")
    resumed = part.exists()
    download.complete(part, url)
    found = _digest(part, checksum)
    if resumed and not found.startswith(checksum):
        # Its beginning may be of an earlier file on the server.
        part.unlink()
        download.complete(part, url)
        found = _digest(part, checksum)
    if not found.startswith(checksum):
        part.unlink()
        raise UsageError(
            f"{url} has the checksum {found}, expected {checksum}. The file "
            "has been removed. If it happens again, the file on the server "
            "is another one than it was: do not use it."
        )
    os.replace(part, path)


@contextlib.contextmanager
def _explained(url, path):
    """Explains errors of network and disk, and how to download by hand."""
    by_hand = f"Or download it by hand, from {url} to {str(path)!r}."
    try:
        yield
    except urllib.error.HTTPError as error:
        raise UsageError(
            f"The server answered {error.code} {error.reason} for {url}. "
            f"Try later, or pass the path of a file as weights. {by_hand}"
        ) from error
    except (
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
        ssl.SSLError,
    ) as error:
        raise UsageError(
            f"The download of {url} broke off: {error}. Call again: it goes "
            f"on where it stopped. {by_hand}"
        ) from error
    except urllib.error.URLError as error:
        raise UsageError(
            f"Cannot reach {url}: {error.reason}. The cache has no such file. "
            f"Connect this machine to the network. {by_hand}"
        ) from error
    except OSError as error:
        raise UsageError(
            f"Cannot use the cache for {str(path)!r}: {error}. Set KERAS_HOME "
            "to a folder that can be written and has room."
        ) from error
