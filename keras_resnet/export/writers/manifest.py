"""What an export says of its files: manifest.json and its rows."""

import dataclasses
import json
import pathlib

import keras
import tensorflow as tf

import keras_resnet
from keras_resnet import files as files_lib
from keras_resnet.errors import lookup
from keras_resnet.inference import kinds
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import MANIFEST
from keras_resnet.inference.artifact import SAMPLES
from keras_resnet.inference.artifact import Artifact
from keras_resnet.inference.artifact import files
from keras_resnet.inference.artifact import sha256
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS


def describe(
    path,
    network,
    *,
    format,
    batch,
    precision="float32",
    input_dtype="float32",
    output_dtype="float32",
    outputs=None,
):
    """The `Artifact` of a network that has just been written.

    Args:
        path: of the file or directory.
        network: the `serving.Network` that it holds.
        format: name of a `kinds.Kind`.
        batch: int, or None for any.
        precision: key of `verification.bounds.BOUNDS`.
        input_dtype, output_dtype: of images and of what the network gives.
        outputs: {name: {"dtype", "shape"}} of outputs beyond the network's.
    """
    path = pathlib.Path(path)
    kind = lookup(kinds.KINDS, format, "kind of file")
    shape = [batch, *network.image_size, 3]
    images = {"dtype": input_dtype, "shape": shape}
    given = {
        name: {"dtype": output_dtype, "shape": shape}
        for name, shape in network.output_shapes(batch).items()
    }
    return Artifact(
        path=path.name,
        format=format,
        precision=precision,
        signature={
            "inputs": {IMAGES: images},
            "outputs": {**given, **(outputs or {})},
        },
        bytes=sum(file.stat().st_size for file in files(path)),
        sha256=sha256(path),
        operators=kind.count_operators(path),
    )


def write_manifest(directory, artifacts, card, verified_on=""):
    """Writes manifest.json: the artifacts, the card and the versions.

    `verified_on` says on which images the differences were measured.
    """
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
            "exif": card.exif,
            "variant": card.variant,
            "dataset": card.public().dataset,
            "multi_label": card.multi_label,
            **({"outputs": card.outputs} if card.outputs else {}),
        },
        "verified_on": verified_on,
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
