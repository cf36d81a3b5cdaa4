"""Moves a finished export into place; other files stay.

An export is written and verified in a folder `.export-XXXXXXXX` of its
directory. Then a journal in that folder says which files it replaces, and one
file after the other is moved, the manifest last. A process that dies before
the journal leaves nothing but that folder, which the next export deletes; one
that dies after it leaves all that the next export needs to finish the move.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.export.verification.listing import list_files
from keras_resnet.inference import kinds
from keras_resnet.inference.artifact import MANIFEST
from keras_resnet.inference.artifact import SAMPLES
from keras_resnet.inference.artifact import is_inside
from keras_resnet.inference.artifact import sha256
from keras_resnet.inference.tflite_metadata import holds_card
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS

# Beside the networks, in every export.
COMMON = (LABELS, CARD, MANIFEST, SAMPLES)

_PREFIX = ".export-"
_STAGING = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}")
_JOURNAL = "replaces.json"
_ADVICE = "Wait for it, or pass another output directory."


def check(output_dir, networks):
    """Makes a directory; refuses it if an export cannot be moved there.

    Args:
        output_dir: path.
        networks: names that the export will have there, beside `COMMON`.

    Raises:
        keras_resnet.UsageError: if it cannot be written to, something other
            than an export is in the way, or an export is running.
    """
    try:
        output_dir = pathlib.Path(output_dir)
        output_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output_dir):
            pass
    except OSError as error:
        raise UsageError(
            f"Cannot write to {str(output_dir)!r}: {error.strerror}. Pass "
            "another directory."
        ) from error
    with _alone(output_dir):
        _refuse_others(output_dir, networks, _list_earlier(output_dir))


def find_existing(output_dir):
    """Paths at the top of a directory that an earlier export left there."""
    output_dir = pathlib.Path(output_dir)
    if not output_dir.is_dir():
        return []
    with _alone(output_dir):
        names = _tops(_list_earlier(output_dir))
        return [output_dir / n for n in names if (output_dir / n).exists()]


@contextlib.contextmanager
def staged(output_dir, networks):
    """A folder to write an export to; the export is then moved into place.

    The body writes a whole export with its manifest into the folder. A failure
    leaves the directory as it was. Arguments and errors are those of `check`.
    """
    check(output_dir, networks)
    output_dir = pathlib.Path(output_dir)
    with _alone(output_dir):
        staging = pathlib.Path(tempfile.mkdtemp(dir=output_dir, prefix=_PREFIX))
        try:
            yield staging
            earlier = _list_earlier(output_dir)
            _refuse_others(output_dir, networks, earlier)
            for file in files.entries(staging):
                files.flush(file)
            files.write_text(staging / _JOURNAL, json.dumps(earlier))
        except BaseException:
            # Journal first: a half-deleted export must not be finished.
            (staging / _JOURNAL).unlink(missing_ok=True)
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _finish(staging, output_dir)


@contextlib.contextmanager
def _alone(output_dir):
    """Keeps other exports out; finishes those that died there."""
    with files.locked(output_dir, _ADVICE):
        for folder in sorted(output_dir.glob(f"{_PREFIX}*")):
            if _is_staging(folder):
                _finish(folder, output_dir)
        yield


def _is_staging(folder):
    """Whether an export made a folder: its name, and all that is in it."""
    # Here: formats import TensorFlow.
    from keras_resnet.export.formats import FORMATS

    known = {*COMMON, _JOURNAL, *(row.file for row in FORMATS.values())}
    return (
        _STAGING.fullmatch(folder.name) is not None
        and folder.is_dir()
        and not folder.is_symlink()
        and all(n in known or n.startswith(".") for n in os.listdir(folder))
    )


def _finish(staging, output_dir):
    """Moves what is left to move, if there is a journal; deletes the folder."""
    if (staging / _JOURNAL).exists():
        _move(staging, output_dir, _read_journal(staging / _JOURNAL))
    shutil.rmtree(staging)


def _read_journal(path):
    """{name: sha256} of the files that an export may replace."""
    try:
        earlier = files.read_json(path)
        if isinstance(earlier, dict) and all(map(is_inside, earlier)):
            return earlier
    except (OSError, ValueError):
        pass
    raise UsageError(
        f"{str(path)!r} is none that an export has left: move it away, or "
        "pass another directory."
    )


def _move(staging, output_dir, earlier):
    last = MANIFEST
    whole = staging if (staging / last).exists() else output_dir
    new = {**list_files(whole), last: None}
    left = [
        file.relative_to(staging).as_posix()
        for file in files.entries(staging)
        if file.name not in (_JOURNAL, last)
    ]
    _refuse_others(output_dir, [*_tops(new)], earlier, moved=new)
    if whole == staging:
        # No manifest may describe a mixture of two exports.
        (output_dir / last).unlink(missing_ok=True)
    for name in earlier.keys() - new.keys():
        (output_dir / name).unlink(missing_ok=True)
    for name in left:
        (output_dir / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / name, output_dir / name)
    for name in _tops(earlier):
        _prune(output_dir / name)
    files.flush(output_dir)
    if whole == staging:
        os.replace(staging / last, output_dir / last)


def _prune(path):
    """Removes the directories at and below a path that hold no file."""
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            _prune(child)
        with contextlib.suppress(OSError):
            path.rmdir()


def _list_earlier(output_dir):
    """{name: sha256} of what an earlier export left; None for any content.

    Raises:
        keras_resnet.UsageError: if its manifest is not one of ours.
    """
    if not os.path.lexists(output_dir / MANIFEST):
        return {}
    try:
        return {MANIFEST: None, **list_files(output_dir)}
    except UsageError as error:
        raise UsageError(
            f"{error} It does not say which files an export may replace: pass "
            "another directory, or move it away."
        ) from error


def _tops(names):
    """The first parts of paths, without repetition."""
    return list(dict.fromkeys(name.split("/")[0] for name in names))


def _refuse_others(output_dir, networks, earlier, moved=None):
    """Refuses to touch what no manifest names, or what was changed since.

    Two {name: sha256} list what may be there: `earlier`, files that may be
    replaced, and `moved`, files of the new export itself.
    """
    wrong = []
    for top in _tops([*COMMON, *networks, *earlier]):
        if "." in top and (output_dir / top).is_dir():
            wrong.append(f"{top} (a directory)")
        for file in files.entries(output_dir / top):
            name = file.relative_to(output_dir).as_posix()
            why = _why_not(file, name, earlier, moved or {})
            wrong += [f"{name} ({why})"] if why else []
    wrong += [f"{n} (a network)" for n in _networks(output_dir, earlier)]
    require(
        not wrong,
        f"{str(output_dir)!r} holds what no export has left as it is: "
        f"{', '.join(wrong[:5])}{', ...' if wrong[5:] else ''}. Files that are "
        "not an export's are never replaced: pass another directory, or move "
        "them away.",
    )


def _why_not(file, name, earlier, moved):
    if file.is_symlink():
        return "a link"
    if name not in {**earlier, **moved}:
        return "no manifest names it"
    known = {earlier.get(name, ""), moved.get(name, "")}
    if None not in known and sha256(file) not in known:
        return "changed since it was exported"
    return None


def _networks(output_dir, earlier):
    """Other networks: this export's labels.txt would seem to be theirs."""
    tops = {*_tops(earlier)}
    for path in sorted(output_dir.iterdir()):
        own = path.name in tops or path.name.startswith(".")
        if not own and kinds.seems_network(path) and not holds_card(path):
            yield path.name
