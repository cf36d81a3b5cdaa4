"""What a file or directory is, before something is written in its place."""

import contextlib
import os
import pathlib
import shutil

from keras_resnet import files
from keras_resnet.errors import require
from keras_resnet.inference import kinds


def check(path, kind):
    """Refuses to replace what is not of the kind that will be written.

    `kind` is a key of `kinds.KINDS`.

    Raises:
        keras_resnet.UsageError: if something else lies there.
    """
    found = recognise(path)
    hint = ""
    if kind == "saved_model" and _versions(path):
        hint = " A server's version is a folder of its own, as PATH/1."
    require(
        found in (kind, None),
        f"{str(path)!r} is not {kinds.KINDS[kind].title}, which would take its "
        f"place. Pass another path, or move it away.{hint}",
    )


def _versions(path):
    path = pathlib.Path(path)
    return path.is_dir() and any(c.name.isdigit() for c in path.iterdir())


def recognise(path):
    """What lies at a path: a key of `kinds.KINDS`, None for nothing, "other".

    An empty file and a directory without files count as nothing. What
    belongs to a network only in part is "other".
    """
    path = pathlib.Path(path)
    if path.is_dir():
        if path.is_symlink():
            return "other"
        if not files.entries(path):
            return None
    elif not path.is_file():
        return "other" if os.path.lexists(path) else None
    elif not path.stat().st_size:
        return None
    kind = kinds.find(path)
    return kind.name if kind and kind.is_whole(path) else "other"


@contextlib.contextmanager
def replacing_network(path):
    """A path to write a file or directory to, that then replaces `path`.

    Unlike `files.replacing` it takes directories too, and refuses to replace
    what is not of the same kind. A failure leaves `path` as it was. A file is
    replaced in one step; a directory is removed before the new one takes its
    name.

    Raises:
        keras_resnet.UsageError: if `path` is of another kind than what was
            written.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{files.UNFINISHED}{path.name}-"
    beside = path.with_name(f"{prefix}{os.getpid()}")
    _sweep(path.parent, prefix)
    try:
        yield beside
        kind = recognise(beside)
        if kind not in kinds.KINDS:
            raise RuntimeError(f"{beside} was written as {kind}.")
        check(path, kind)
        if path.is_dir():
            remove(path)
        beside.replace(path)
    finally:
        remove(beside)


def _sweep(folder, prefix):
    """Removes what processes left there that were killed while writing."""
    for left in folder.iterdir():
        pid = left.name.removeprefix(prefix)
        if pid != left.name and pid.isdecimal() and not _runs(int(pid)):
            remove(left)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no process number
        pass
    return True


def remove(path):
    """Removes a file or a directory, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
