"""Files that are whole or not there, whenever a process dies.

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

# Of what was not finished. It is hidden, and the next run replaces it.
UNFINISHED = ".unfinished-"

# Bytes of a text that is read whole: labels, cards, manifests.
MAX_TEXT = 2**24

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def no_file(status):
    """Why what has an `os.stat_result` is no file, in one line, or None."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return None
    return f"it is {_KINDS.get(kind, 'something else')}, not a file"


def open_file(path, buffering=-1):
    """Opens a regular file to read its bytes; links to one are followed.

    A pipe is not waited for, a device not read.

    Raises:
        OSError: if it cannot be opened, or is no file.
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
        OSError: if it cannot be opened, is no file, or is larger.
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
    """What a file of JSON holds.

    Raises:
        OSError: as `read`.
        ValueError: if it is no JSON, or is nested too deep.
    """
    return parse_json(read(path))


def parse_json(data):
    """`json.loads` without another error than ValueError."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


@contextlib.contextmanager
def replacing(path):
    """Gives a path to write to; what lies there then becomes `path`.

    On an error `path` stays as it was and what was written is deleted.

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
    """Makes an empty file of our own in place of what lies there.

    A link there would be written through, a pipe waited for.

    Raises:
        OSError: if it cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    os.close(os.open(path, flags, 0o666))


def link(source, target):
    """Gives a file a second name; a copy where the file system has no links.

    What lies at `target` is replaced. Neither name may be written to later,
    only replaced.
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
    """Another process writes to a folder that one at a time may write to."""


@contextlib.contextmanager
def locked(folder, advice):
    """Refuses a second process of this machine, or thread.

    The folder itself is locked: nothing is left in it, and no link can lie
    where a lock's own file would be.

    Args:
        folder: that one at a time may write to; it exists.
        advice: what the second may do, for its message.

    Raises:
        BusyError: if another one holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not filelock.lock_descriptor(handle, blocking=False):
            raise BusyError(
                f"Another process writes to {str(folder)!r}. {advice}"
            )
        yield
    finally:
        os.close(handle)  # and with it the lock, as when the process dies


@contextlib.contextmanager
def without_trace(folder):
    """What fails inside leaves no empty folder that was not there before."""
    folder = pathlib.Path(folder)
    # Unlike `Path.exists` it raises nothing; what is wrong is said inside.
    paths = (folder, *folder.parents)
    made = [path for path in paths if not os.path.exists(path)]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something is in it, or it is not
            for path in made:
                path.rmdir()
        raise


# What a write to a full or closed disk ends in, and no reading does.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextlib.contextmanager
def room(folder, advice):
    """Says in one line that a disk is full, whoever noticed it.

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
    except Exception as error:  # libraries raise kinds of their own
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
    """A folder to write into, made where it is missing, or a `UsageError`.

    `advice` says what to do where it cannot be made.
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
