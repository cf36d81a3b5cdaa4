"""Files that are whole or not there, whenever a process dies.

A file is written under another name beside its own, flushed to the disk and
renamed. A rename within a directory replaces the old file in one step (POSIX).
"""

import contextlib
import os
import pathlib

# Of what was not finished. It is hidden, and the next run replaces it.
UNFINISHED = ".unfinished-"


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
        yield unfinished
        flush(unfinished)
        os.replace(unfinished, path)
        flush(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Writes a text file in UTF-8, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def flush(path):
    """Waits until the disk has a file or the entries of a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
