"""The class folders and image files of a folder, here or on a remote store.

Names are bytes: a file name need not be UTF-8. Paths with a scheme, such as
gs://bucket/images, are listed by `tf.io.gfile`.
"""

import dataclasses
import os

from keras_resnet.data.stores import files
from keras_resnet.data.stores.files import is_remote
from keras_resnet.errors import UsageError

EXTENSIONS = (b".jpg", b".jpeg", b".png", b".bmp", b".gif", b".webp")


def is_folder(path):
    """Whether `path` (bytes) is a folder that can be listed."""
    if is_remote(path):
        return _gfile().isdir(path)
    return os.path.isdir(path)


def subfolders(folder):
    """(sorted names of the visible folders in `folder`, how many are hidden).

    Links to folders count as folders; one that leads in a circle does not.
    """
    if is_remote(folder):
        names = [
            name
            for name in _list_remote(folder)
            if _gfile().isdir(os.path.join(folder, name))
        ]
    else:
        names = _list_local(folder, os.DirEntry.is_dir)[0]
    visible = sorted(name for name in names if not name.startswith(b"."))
    return visible, len(names) - len(visible)


@dataclasses.dataclass(frozen=True)
class Images:
    """The images of a folder.

    Attributes:
        names: sorted.
        problems: {name: `files.problem`} of those that must not be read; empty
            for a remote folder, where problems show when a file is read.
        others: how many entries are not images.
    """

    names: list
    problems: dict
    others: int


def images(folder):
    """The `Images` of a folder.

    An image is visible, not a folder and has one of `EXTENSIONS`, in upper or
    lower case. A broken link counts as one, and so does a pipe: reading it
    fails, so that the user is told.
    """
    if is_remote(folder):
        # Asking for each name whether it is a folder would take too long.
        names, others = _list_remote(folder), 0
    else:
        names, others = _list_local(folder, _is_no_folder)
    chosen = sorted(
        name
        for name in names
        if name.lower().endswith(EXTENSIONS) and not name.startswith(b".")
    )
    problems = {} if is_remote(folder) else _problems(folder, chosen)
    return Images(chosen, problems, others + len(names) - len(chosen))


def _problems(folder, names):
    prefix = os.path.join(folder, b"")
    found = ((name, files.problem(prefix + name)) for name in names)
    return {name: why for name, why in found if why}


def walk(folder):
    """The images of a folder and of all folders in it, a folder at a time.

    A folder's own images come before those of its subfolders. Hidden folders
    are left out, and a link to a folder that contains it is not followed.

    Args:
        folder: bytes.

    Yields:
        (folder, its `Images`), where there are any.
    """
    yield from _walk(folder, frozenset())


def _walk(folder, around):
    itself = folder if is_remote(folder) else os.path.realpath(folder)
    if itself in around:
        return
    found = images(folder)
    if found.names:
        yield folder, found
    del found  # frees its memory while the subfolders are read
    for name in subfolders(folder)[0]:
        yield from _walk(os.path.join(folder, name), around | {itself})


def _gfile():
    import tensorflow as tf

    return tf.io.gfile


def _list_remote(folder):
    import tensorflow as tf

    try:
        # Object stores end the names of folders with a slash.
        names = tf.io.gfile.listdir(folder)
        return [os.fsencode(name).rstrip(b"/") for name in names]
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise _cannot_list(folder, error) from error


def _list_local(folder, is_wanted):
    wanted, others = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _holds(is_wanted, entry):
                    wanted.append(entry.name)
                else:
                    others += 1
    except OSError as error:
        raise _cannot_list(folder, error) from error
    return wanted, others


def _is_no_folder(entry):
    return not entry.is_dir()


def _holds(is_wanted, entry):
    try:
        return is_wanted(entry)
    except OSError:  # a circular link, or no permission
        return False


def _cannot_list(folder, error):
    return UsageError(f"Cannot list {os.fsdecode(folder)!r}: {error}.")
