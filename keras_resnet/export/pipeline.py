"""All formats of one model into one directory, verified before they land."""

import dataclasses
import os
import time
from collections.abc import Callable
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import files
from keras_resnet import progress
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data.pipeline import read_example
from keras_resnet.errors import require
from keras_resnet.export import formats as formats_lib
from keras_resnet.export import placing
from keras_resnet.export import samples
from keras_resnet.export.formats import Options
from keras_resnet.export.verification import feature_bounds
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification import verify as verify_lib
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import serving
from keras_resnet.inference.artifact import SAMPLES
from keras_resnet.inference.artifact import Artifacts
from keras_resnet.labels import class_names
from keras_resnet.labels.answers import check_kind
from keras_resnet.labels.cards import Card

_MAKE_ROOM = "Make room, or pass another directory; what was there stays."


def export_all(
    model: keras.Model,
    output_dir: str | os.PathLike,
    *,
    card: Card,
    formats: Sequence[str],
    images: Sequence[np.ndarray],
    labels: Sequence[int] | None,
    options: Options = Options(),
    predict: Callable = isolated.predict_isolated,
    verified_on: str = "",
) -> Artifacts:
    """Exports a model, verifies every file, and only then puts them in place.

    The directory then holds the artifacts, labels.txt, card.json, manifest.json
    with the measured differences, and `samples/`, a few of the images as PNG
    files to try `keras-resnet predict` with. An earlier export there is
    replaced as a whole: one directory, one model. Other files are never
    touched; the export is refused if one is in its way. A failure leaves
    everything as it was.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy.
        output_dir: path; made if missing.
        card: `keras_resnet.labels.cards.Card` of the model. It is exported
            without the path of its data set.
        formats: keys of `formats.FORMATS`.
        images: sequence of real images to verify with, uint8 (H, W, 3) of any
            sizes.
        labels: their classes, ints; for independent labels (N, K) of 0 and 1.
        options: `formats.Options`.
        predict: as `verify.verify` takes it.

    Returns:
        list of `Artifact`, as the manifest lists them.

    Raises:
        keras_resnet.UsageError: if an argument cannot work: before any work.
        keras_resnet.export.verification.verify.VerificationError: if an
            artifact differs from the model.
    """
    card = card.public()
    labels = None if card.outputs else labels
    network = check(
        model, output_dir, card=card, formats=formats, options=options
    )
    names = formats_lib.file_names(formats)
    verified_on = verified_on or f"{len(images)} images"
    inputs = verify_lib.inputs_of(images, card)
    with (
        files.room(output_dir, _MAKE_ROOM),
        placing.staged(output_dir, names) as staging,
        isolated.Ahead(predict, inputs) as ahead,
    ):
        card.save(staging)
        samples.write(staging / SAMPLES, images, labels, card)
        progress.say("Folding batch normalisation into the convolutions")
        network.folded  # noqa: B018, made once, by name
        artifacts = []
        for name in formats:
            artifacts.append(_write(network, staging, name, options))
            ahead.begin(staging / artifacts[-1].path)
        manifest.write_manifest(staging, artifacts, card)
        reports = verify_lib.verify(
            staging,
            model,
            images,
            labels=labels,
            predict=ahead,
            inputs=inputs,
        )
        artifacts = [_measure(artifact, reports) for artifact in artifacts]
        manifest.write_manifest(staging, artifacts, card, verified_on)
    return Artifacts(artifacts, output_dir, verified_on)


def check(model, output_dir, *, card, formats, options=Options()):
    """Raises `UsageError` if `export_all` could not work; makes the directory.

    Args: as `export_all` takes them.

    Returns:
        `serving.Network` of the model.
    """
    network = serving.Network(model, card)
    formats_lib.check(formats, options, network)
    placing.check(output_dir, formats_lib.file_names(formats))
    return network


def split_of(card, name="validation", *, dataset=None, data_dir=None):
    """A split of a model's data set, or of another one.

    Args:
        card: `keras_resnet.labels.cards.Card` of the model.
        name: "validation" to verify with, "train" to calibrate with.
        dataset: as `datasets.load` takes it. Default: the card's.
        data_dir: where TFDS keeps its data.

    Returns:
        `keras_resnet.data.datasets.Split`.

    Raises:
        keras_resnet.UsageError: if there is no such data set, or its classes
            are not the model's.
    """
    dataset = dataset or card.dataset
    require(
        dataset,
        "The model's card.json names no data set. Pass one with --dataset.",
    )
    split = datasets.load(dataset, name, data_dir=data_dir)
    check_split(card, split)
    return split


def check_split(card, split):
    """Raises `UsageError` unless the classes of a split are a model's.

    Features take any pictures.
    """
    if card.outputs:
        return
    class_names.check_same(card.class_names, split.class_names, split.name)
    check_kind(card.multi_label, split)


def read_images(split, num_images, *, on_bad_image="fail", exif="ignore"):
    """Real images spread over a split, whole.

    Args:
        split: `keras_resnet.data.datasets.Split`.
        num_images: int >= 1; at most all of the split are read.
        on_bad_image: "fail", or "mask:N" to leave out up to N images that
            cannot be read.
        exif: of the card of the model that will see the images.

    Returns:
        (images, labels): lists of uint8 (H, W, 3) arrays and of ints, or of
        uint8 (K,).

    Raises:
        keras_resnet.UsageError: if more cannot be read, or none can.
    """
    require(
        num_images >= 1,
        f"num_images must be >= 1. Received: num_images={num_images}.",
    )
    masked = bad_images.MaskedImages(split, recipes.max_masked(on_bad_image))
    count = min(num_images, split.num_examples)
    images, labels = [], []
    for index in np.linspace(0, split.num_examples - 1, count).astype(int):
        try:
            place = tf.constant(index, tf.int64)
            image, label = read_example(split, place, exif)
        except tf.errors.OpError as error:
            if not masked.limit:
                raise bad_images.blame(split, [index], error) from error
            masked.note(index)
            masked.check()
            continue
        images.append(image.numpy())
        labels.append(label.numpy() if split.multi_label else int(label))
    require(images, f"None of {count} images of {split.name} can be read.")
    return images, labels


def _write(network, staging, name, options):
    row = formats_lib.FORMATS[name]
    progress.say(f"Writing {row.file}")
    start = time.perf_counter()
    artifact = row.write(network, staging / row.file, options)
    seconds = round(time.perf_counter() - start, 1)
    return dataclasses.replace(artifact, export_seconds=seconds)


def _measure(artifact, reports):
    reports = [r for r in reports if r.path == artifact.path]
    if isinstance(reports[0], feature_bounds.Report):
        return _measure_features(artifact, reports)
    return dataclasses.replace(
        artifact,
        max_abs_diff=max(r.max_abs_diff for r in reports),
        relative_logit_diff=max(r.relative_logit_diff for r in reports),
        **{
            name: min(getattr(r, name) for r in reports)
            for name in ("top1_agreement", "label_agreement")
            if getattr(reports[0], name) is not None
        },
        num_images=reports[0].num_images,
    )


def _measure_features(artifact, reports):
    features = {}
    for report in reports:  # keep the signature that is furthest off
        known = features.get(report.output)
        if known is None or report.cosine < known["cosine"]:
            features[report.output] = report.measured()
    return dataclasses.replace(
        artifact,
        features=features,
        max_abs_diff=max(r.max_abs_diff for r in reports),
        num_images=reports[0].num_images,
    )
