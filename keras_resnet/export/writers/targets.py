"""What a file or directory is, before something is written in its place."""

import contextlib
import os
import pathlib
import re
import shutil

from keras_resnet import files
from keras_resnet.errors import require
from keras_resnet.inference.artifact import WEB_MODEL

# Of a page; it lists all other files.
SERVICE_WORKER = "service_worker.js"

# What TensorFlow and this library write into a SavedModel.
_SAVED_MODEL = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb"
    r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets/.+|assets\.extra/.+"
)
_NAMES = {
    "saved_model": "a SavedModel",
    "web": "a page",
    "tflite": "a TFLite file",
    "onnx": "an ONNX file",
}


def check(path, kind):
    """Refuses to replace what is not of the kind that will be written.

    Args:
        path: where it will be written.
        kind: "saved_model", "web", "tflite" or "onnx".

    Raises:
        keras_resnet.UsageError: if something else lies there.
    """
    found = recognise(path)
    hint = ""
    if kind == "saved_model" and _versions(path):
        hint = " A server's version is a folder of its own, as PATH/1."
    require(
        found in (kind, None),
        f"{str(path)!r} is not {_NAMES[kind]}, which would take its place. "
        f"Pass another path, or move it away.{hint}",
    )


def _versions(path):
    path = pathlib.Path(path)
    return path.is_dir() and any(c.name.isdigit() for c in path.iterdir())


def recognise(path):
    """What lies at a path: a key of `_NAMES`, None for nothing, or "other".

    An empty file and a directory without files are nothing. A directory is of
    a kind if all that is in it belongs there.
    """
    path = pathlib.Path(path)
    if path.is_symlink() and path.is_dir():
        return "other"
    if path.is_dir():
        return _directory(path)
    if not os.path.lexists(path) or path.is_file() and not path.stat().st_size:
        return None
    return _file(path) if path.is_file() else "other"


def _directory(path):
    names = [entry.relative_to(path).as_posix() for entry in entries(path)]
    if not names:
        return None
    if "saved_model.pb" in names:
        belongs = _SAVED_MODEL.fullmatch
    elif {SERVICE_WORKER, WEB_MODEL, "page.json"} <= set(names):
        worker = (path / SERVICE_WORKER).read_text(errors="replace")
        belongs = {SERVICE_WORKER, *re.findall(r'"([^"\n]+)": \{', worker)}
        belongs = belongs.__contains__
    else:
        return "other"
    kind = "saved_model" if "saved_model.pb" in names else "web"
    return kind if all(map(belongs, names)) else "other"


def _file(path):
    with path.open("rb") as file:
        start = file.read(8)
    if start[4:8] == b"TFL3":
        return "tflite"
    return "onnx" if _is_onnx(path) else "other"


def _is_onnx(path):
    import onnx

    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception:  # protobuf has several, by its implementation
        return False
    return bool(proto.graph.node)


def entries(path):
    """All files and links at or below a path, sorted; links not followed."""
    path = pathlib.Path(path)
    if path.is_symlink() or not path.is_dir():
        return [path] if os.path.lexists(path) else []
    return [e for child in sorted(path.iterdir()) for e in entries(child)]


@contextlib.contextmanager
def replacing(path):
    """A path to write a file or directory to, that then replaces `path`.

    Whatever fails in between leaves `path` as it was. A file is replaced in
    one step; a directory is removed before the new one takes its name.

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
        if kind not in _NAMES:
            raise RuntimeError(f"{beside} was written as {kind}.")
        check(path, kind)
        if path.is_dir():
            remove(path)
        beside.replace(path)
    finally:
        remove(beside)


def _sweep(folder, prefix):
    """Removes what a process left there that was killed as it wrote."""
    for left in folder.iterdir():
        pid = left.name.removeprefix(prefix)
        if pid != left.name and pid.isdecimal() and not _runs(int(pid)):
            remove(left)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no number of one
        pass
    return True


def remove(path):
    """Removes a file or a directory, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
