"""Files that are complete or absent, whenever a process dies.

A file is written under another name beside its own, flushed to the disk and
renamed. A rename within a directory replaces the old file in one step (POSIX).
"""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import stat

import filelock

from keras_resnet.errors import UsageError

# Prefix of an unfinished file: it is hidden, and the next run replaces it.
UNFINISHED = ".unfinished-"

# Most bytes of a text that is read at once: labels, cards, manifests.
MAX_TEXT = 2**24

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def no_file(status):
    """One line on why an `os.stat_result` is not that of a file, or None."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return None
    return f"it is {_KINDS.get(kind, 'something else')}, not a file"


def open_file(path, buffering=-1):
    """Opens a regular file to read its bytes; follows links.

    Does not wait for a pipe, and does not read a device.

    Raises:
        OSError: if it cannot be opened, or is not a file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    why = no_file(os.fstat(handle))
    if why:
        os.close(handle)
        raise OSError(errno.EINVAL, why, os.fsdecode(path))
    return open(handle, "rb", buffering=buffering)


def read(path, limit=MAX_TEXT):
    """The bytes of a regular file, if they are no more than a limit.

    Raises:
        OSError: if it cannot be opened, is not a file, or is larger.
    """
    with open_file(path) as file:
        return bounded(file, path, limit)


def bounded(file, name, limit=MAX_TEXT):
    """The bytes of an open file or member of an archive, up to a limit.

    Raises:
        OSError: if there are more.
    """
    data = file.read(limit + 1)
    if len(data) > limit:
        why = f"it has more than {limit:,} bytes"
        raise OSError(errno.EINVAL, why, os.fsdecode(name))
    return data


def read_json(path):
    """The contents of a JSON file.

    Raises:
        OSError: as `read`.
        ValueError: if it is not JSON, or is nested too deep.
    """
    return parse_json(read(path))


def parse_json(data):
    """`json.loads` that raises no other error than ValueError."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


@contextlib.contextmanager
def replacing(path):
    """Yields a path to write to; the file written there becomes `path`.

    On an error `path` stays as it was and the new file is deleted.

    Args:
        path: of a file; its directory exists.

    Yields:
        pathlib.Path: beside it, with the same suffix.
    """
    path = pathlib.Path(path)
    unfinished = path.with_name(UNFINISHED + path.name)
    try:
        create(unfinished)
        yield unfinished
        flush(unfinished)
        os.replace(unfinished, path)
        flush(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def create(path):
    """Makes a new empty file in place of whatever has that path.

    A write to an old link would change its target; one to a pipe would wait.

    Raises:
        OSError: if it cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    os.close(os.open(path, flags, 0o666))


def link(source, target):
    """Gives a file a second name; copies it if the file system has no links.

    Replaces `target`. Later, either name may be replaced but not written to.
    """
    with replacing(target) as path:
        path.unlink(missing_ok=True)
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


def write_text(path, text):
    """Writes a text file in UTF-8, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


class BusyError(UsageError):
    """Another process is writing to a folder that allows one writer."""


@contextlib.contextmanager
def locked(folder, advice):
    """Locks a folder against other processes and threads of this machine.

    The lock is on the folder itself: it leaves no file behind, and no link can
    take the place of a lock file.

    Args:
        folder: an existing folder that allows one writer at a time.
        advice: what the second process can do, for its message.

    Raises:
        BusyError: if another one has the lock.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not filelock.lock_descriptor(handle, blocking=False):
            raise BusyError(
                f"Another process writes to {str(folder)!r}. {advice}"
            )
        yield
    finally:
        os.close(handle)  # ends the lock, as the process' death would


@contextlib.contextmanager
def without_trace(folder):
    """Removes the empty folders that failing code inside has made."""
    folder = pathlib.Path(folder)
    # Unlike `Path.exists` it raises nothing; the code inside reports errors.
    paths = (folder, *folder.parents)
    made = [path for path in paths if not os.path.exists(path)]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty, or not there
            for path in made:
                path.rmdir()
        raise


# Errors of a write to a full or read-only disk; reading raises none of them.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextlib.contextmanager
def room(folder, advice):
    """Reports a full disk in one line, whichever library noticed it.

    Args:
        folder: what is written to.
        advice: what to do, for the message.

    Raises:
        keras_resnet.UsageError: in place of the system's, TensorFlow's or
            HDF5's own error.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # libraries raise their own errors
        why = no_room(error)
        if why is None:
            raise
        raise UsageError(
            f"Cannot write into {str(folder)!r}: {why}. {advice}"
        ) from error


def no_room(error):
    """The system's words for a full disk in any error, or None."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        where = f" ({error.filename})" if error.filename else ""
        return f"{os.strerror(error.errno)}{where}"
    said = map(os.strerror, _NO_ROOM)
    return next((words for words in said if words in str(error)), None)


def folder(path, advice=""):
    """Returns a folder to write into; makes it if it is missing.

    Raises `UsageError` if it cannot be made; `advice` says what to do then.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"Cannot write into {str(path)!r}: {error.strerror}. {advice}"
        raise UsageError(said.rstrip()) from error
    return path


def flush(path):
    """Waits until the disk has a file or the entries of a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def entries(path):
    """All files and links at or below a path, sorted; links not followed."""
    path = pathlib.Path(path)
    if path.is_symlink() or not path.is_dir():
        return [path] if os.path.lexists(path) else []
    return [e for child in sorted(path.iterdir()) for e in entries(child)]
