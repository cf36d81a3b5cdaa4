"""Which files an export consists of, and which have changed since."""

import pathlib

from keras_resnet.inference.artifact import SAMPLES
from keras_resnet.inference.artifact import files as files_of
from keras_resnet.inference.artifact import is_inside
from keras_resnet.inference.artifact import read_fields
from keras_resnet.inference.artifact import read_manifest
from keras_resnet.inference.artifact import sha256
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS


def list_files(directory):
    """{name: sha256} of every file of the export that a manifest describes.

    A file that manifests of earlier versions do not list has None for a sha256:
    it is known only by its name.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    directory = pathlib.Path(directory)
    return read_fields(directory, lambda fields: _list_files(directory, fields))


def _list_files(directory, fields):
    if "keras_resnet" not in fields["versions"]:
        raise ValueError("another program wrote it")
    files = fields.get("files") or _list_unlisted(
        directory, fields["artifacts"]
    )
    if not isinstance(files, dict):
        raise TypeError("its files are no object")
    outside = [name for name in files if not is_inside(name)]
    if outside:
        raise ValueError(f"it names {outside[0]!r}, which is not inside")
    if not any(name.startswith(f"{SAMPLES}/") for name in files):
        samples = (directory / SAMPLES).glob("[0-9][0-9]_label-*.png")
        files |= {f"{SAMPLES}/{path.name}": None for path in samples}
    return files


def _is_link(path):
    """Whether a path leads to another folder, which is not walked through."""
    return path.is_symlink() and path.is_dir()


def _list_unlisted(directory, artifacts):
    """The same for a manifest that has only one sha256 for each artifact."""
    files = {LABELS: None, CARD: None}
    for path, digest in ((row["path"], row["sha256"]) for row in artifacts):
        if not is_inside(path) or _is_link(directory / path):
            raise ValueError(f"it names {path!r}, which is not inside")
        there = (directory / path).is_dir() or (directory / path).is_file()
        whole = there and sha256(directory / path)
        for file in files_of(directory / path):
            name = file.relative_to(directory).as_posix()
            files[name] = sha256(file) if whole == digest else digest
    return files


def find_changes(directory):
    """({name: what is wrong}, number of files) of what a manifest lists.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    directory, changed = pathlib.Path(directory), {}
    files = list_files(directory)
    for name, digest in files.items():
        if not (directory / name).is_file():
            changed[name] = "it is missing."
        elif digest not in (None, sha256(directory / name)):
            changed[name] = (
                "its sha256 is not the manifest's: it was changed or damaged."
            )
    for artifact in read_manifest(directory):
        if _is_link(directory / artifact.path):
            changed[artifact.path] = "it is a link to another folder."
            continue
        for path in files_of(directory / artifact.path):
            name = path.relative_to(directory).as_posix()
            if name not in files and path.exists():
                changed[name] = "the manifest does not list it."
    return changed, len(files)
