"""Exported files and the manifest.json that describes them."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.export import operators
from keras_resnet.labels import CARD
from keras_resnet.labels import LABELS

MANIFEST = "manifest.json"

# Names of the one input and the one output, in every format.
IMAGES = "images"
PROBABILITIES = "probabilities"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artifact:
    """One exported network.

    Attributes:
        path: relative to the directory of manifest.json.
        format: "saved_model", "tflite" or "onnx".
        precision: of the weights and of the arithmetic: "float32", "float16"
            (weights), "dynamic_int8" (weights of 8 bits, activations
            quantised as they come) or "int8" (all).
        signature: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}; a
            size that is free is None.
        bytes: size of the file, or of all files of a SavedModel.
        sha256: as `sha256` gives it.
        operators: {name: how many} that the file consists of.
        max_abs_diff: largest difference of a probability from the Keras
            model's, or None before `verify`.
        relative_logit_diff: largest difference of a logit, in standard
            deviations of the logits, or None.
        top1_agreement: fraction of the images with the Keras model's first
            class, or None.
        num_images: how many images the three were measured on.
        export_seconds: wall time of the conversion, or None.
    """

    path: str
    format: str
    precision: str
    signature: dict
    bytes: int
    sha256: str
    operators: dict = dataclasses.field(default_factory=dict)
    max_abs_diff: float | None = None
    relative_logit_diff: float | None = None
    top1_agreement: float | None = None
    num_images: int = 0
    export_seconds: float | None = None


def describe(
    path,
    *,
    format,
    image_size,
    classes,
    batch,
    precision="float32",
    input_dtype="float32",
    output_dtype="float32",
):
    """The `Artifact` of a network that has just been written.

    Args:
        path: of the file or directory.
        format: "saved_model", "tflite" or "onnx".
        image_size: (H, W), None where it is free.
        classes: K.
        batch: int, or None for any.
        precision: as `Artifact` has it.
        input_dtype, output_dtype: of images and of probabilities.
    """
    path = pathlib.Path(path)
    images = {"dtype": input_dtype, "shape": [batch, *image_size, 3]}
    probabilities = {"dtype": output_dtype, "shape": [batch, classes]}
    return Artifact(
        path=path.name,
        format=format,
        precision=precision,
        signature={
            "inputs": {IMAGES: images},
            "outputs": {PROBABILITIES: probabilities},
        },
        bytes=sum(file.stat().st_size for file in _files(path)),
        sha256=sha256(path),
        operators=operators.count(path, format),
    )


def sha256(path):
    """The sha256 of a file, or of a directory.

    Of a directory it is the sha256 of the lines that `sha256sum` prints for
    its files by their relative names, sorted as bytes:

        cd DIRECTORY && find . -type f -printf '%P\\n' | LC_ALL=C sort |
            xargs -d '\\n' sha256sum | sha256sum
    """
    path = pathlib.Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    names = sorted(
        file.relative_to(path).as_posix().encode() for file in _files(path)
    )
    lines = hashlib.sha256()
    for name in names:
        digest = sha256(path / os.fsdecode(name))
        lines.update(digest.encode() + b"  " + name + b"\n")
    return lines.hexdigest()


def _files(path):
    if not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.is_file()]


def write_manifest(directory, artifacts, card):
    """Writes manifest.json: the artifacts, the card and the versions."""
    # Here, so that reading a manifest needs none of them.
    import keras
    import tensorflow as tf

    import keras_resnet

    fields = {
        "versions": {
            "keras_resnet": keras_resnet.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "card": {
            "classes": len(card.class_names),
            "image_size": card.image_size,
            "eval_resize": card.eval_resize,
            "variant": card.variant,
            "dataset": card.dataset,
        },
        "artifacts": [dataclasses.asdict(artifact) for artifact in artifacts],
        "files": _sums(pathlib.Path(directory), artifacts),
    }
    with replacing(pathlib.Path(directory) / MANIFEST) as path:
        path.write_text(json.dumps(fields, indent=2) + "\n")


def _sums(directory, artifacts):
    """{name: sha256} of every file that a network needs, in order of names."""
    paths = [directory / name for name in (LABELS, CARD)]
    for artifact in artifacts:
        paths += _files(directory / artifact.path)
    return {
        path.relative_to(directory).as_posix(): sha256(path)
        for path in sorted(paths)
    }


def changed_files(directory):
    """Which files of an export are not those of its manifest.

    Returns:
        ({name: what is wrong}, int, how many files the manifest lists).

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    directory, changed = pathlib.Path(directory), {}
    files = _read(directory, lambda fields: dict(fields["files"]))
    for name, digest in files.items():
        if not (directory / name).is_file():
            changed[name] = "it is missing."
        elif sha256(directory / name) != digest:
            changed[name] = (
                "its sha256 is not the manifest's: it was changed or damaged."
            )
    for artifact in read_manifest(directory):
        for path in _files(directory / artifact.path):
            name = path.relative_to(directory).as_posix()
            if name not in files and path.exists():
                changed[name] = "the manifest does not list it."
    return changed, len(files)


def read_manifest(directory):
    """The artifacts that manifest.json of a directory lists.

    Returns:
        list of `Artifact`.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    return _read(
        pathlib.Path(directory),
        lambda fields: [Artifact(**row) for row in fields["artifacts"]],
    )


def _read(directory, take):
    path = directory / MANIFEST
    require(
        path.is_file(),
        f"There is no {MANIFEST} in {str(directory)!r}: it stands beside what "
        "export.py writes. Pass that directory.",
    )
    try:
        return take(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{str(path)!r} is damaged: {error}. Export the model again."
        ) from error


@contextlib.contextmanager
def replacing(path):
    """A path to write a file or directory to, that then replaces `path`.

    Whatever fails in between leaves `path` as it was. A file is replaced in
    one step; a directory is removed before the new one takes its name.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        if path.is_dir():
            remove(path)
        beside.replace(path)
    finally:
        remove(beside)


def remove(path):
    """Removes a file or a directory, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
