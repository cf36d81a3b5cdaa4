"""Exported files and the manifest.json that describes them."""

import dataclasses
import hashlib
import json
import os
import pathlib

from keras_resnet import files as files_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import check_types
from keras_resnet.errors import require
from keras_resnet.inference import operators
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS

MANIFEST = "manifest.json"

# Names of the one input and the one output, in every format.
IMAGES = "images"
PROBABILITIES = "probabilities"

# The network of a page, in the page's folder.
WEB_MODEL = "model.tflite"

# Images to try an export on, in its directory.
SAMPLES = "samples"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artifact:
    """One exported network.

    Attributes:
        path: relative to the directory of manifest.json.
        format: "saved_model", "tflite", "onnx" or "web".
        precision: of the weights and of the arithmetic: "float32", "float16"
            (weights), "dynamic_int8" (weights of 8 bits, activations
            quantised as they come) or "int8" (all).
        signature: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}; a
            size that is free is None.
        bytes: size of the file, or of all files of a directory.
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

    def __post_init__(self):
        check_types(self)


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
        format: "saved_model", "tflite", "onnx" or "web".
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
        bytes=sum(file.stat().st_size for file in files(path)),
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
        file.relative_to(path).as_posix().encode() for file in files(path)
    )
    lines = hashlib.sha256()
    for name in names:
        digest = sha256(path / os.fsdecode(name))
        lines.update(digest.encode() + b"  " + name + b"\n")
    return lines.hexdigest()


def files(path):
    """A path itself, or all files below a directory."""
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
            "dataset": card.public().dataset,
        },
        "artifacts": [dataclasses.asdict(artifact) for artifact in artifacts],
        "files": _sums(pathlib.Path(directory), artifacts),
    }
    path = pathlib.Path(directory) / MANIFEST
    files_lib.write_text(path, json.dumps(fields, indent=2) + "\n")


def _sums(directory, artifacts):
    """{name: sha256} of every file of an export, in order of names."""
    paths = [directory / name for name in (LABELS, CARD)]
    for name in (SAMPLES, *(artifact.path for artifact in artifacts)):
        paths += files(directory / name) if (directory / name).exists() else []
    return {
        path.relative_to(directory).as_posix(): sha256(path)
        for path in sorted(paths)
    }


def read_manifest(directory):
    """The artifacts that manifest.json of a directory lists.

    Returns:
        list of `Artifact`.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    return read_fields(
        pathlib.Path(directory),
        lambda fields: [Artifact(**row) for row in fields["artifacts"]],
    )


def read_fields(directory, take):
    """What `take` makes of the fields of a directory's manifest.json.

    Raises:
        keras_resnet.UsageError: if there is no manifest or it is damaged.
    """
    path = directory / MANIFEST
    require(
        path.is_file(),
        f"There is no {MANIFEST} in {str(directory)!r}: it stands beside what "
        "keras-resnet export writes. Pass that directory.",
    )
    try:
        return take(json.loads(path.read_text()))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        why = error if isinstance(error, UsageError) else f"{error!r}."
        raise UsageError(
            f"{str(path)!r} is damaged, or not the manifest of an export: {why}"
        ) from error
