"""Artifacts against the Keras model that they were made from."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet.data import transforms
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.export import predictors
from keras_resnet.export import runtime
from keras_resnet.export import serving
from keras_resnet.export.artifact import read_manifest
from keras_resnet.export.artifact import sha256
from keras_resnet.export.float32 import float32_copy
from keras_resnet.export.float32 import is_float32
from keras_resnet.labels import load_card

# Of a probability. Float32 arithmetic in another order gives 1e-6 to 1e-5.
TOLERANCE = 1e-4

# Of a logit, in standard deviations of the logits: ten times what a ResNet-50
# shows between float32 runtimes (9.4e-5).
LOGIT_TOLERANCE = 1e-3

# exp() of a runtime may flush smaller probabilities to zero.
_SMALLEST = 1e-30

# Logits that are almost equal have no spread to measure by.
_SMALLEST_SPREAD = 1e-2

_BATCH = 16


class VerificationError(UsageError):
    """An artifact is not the network that it was exported from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """How far an artifact is from the Keras model.

    Attributes:
        path: of the artifact, relative to its directory.
        signature: "serving_default", or "serve_bytes" of a SavedModel.
        max_abs_diff: largest difference of a probability.
        relative_logit_diff: largest difference of a logit in standard
            deviations of the logits.
        top1_agreement: fraction of images with the same first class.
        clear_agreement: the same among the images where the Keras model's
            two largest probabilities differ by more than twice the tolerance.
        num_images: int.
    """

    path: str
    signature: str
    max_abs_diff: float
    relative_logit_diff: float
    top1_agreement: float
    clear_agreement: float
    num_images: int


def verify(directory, model, images, *, tolerance=TOLERANCE):
    """Runs each artifact of a manifest and compares it with the Keras model.

    Every file is first held against its sha256. Then the artifact, in its own
    runtime, gets the evaluation views of the images, and a SavedModel also
    their PNG files, through `serve_bytes`. Three things must hold:

    - no probability differs by more than `tolerance`;
    - no logit differs by more than `LOGIT_TOLERANCE` standard deviations:
      where a network is sure of itself all probabilities are near 0 and 1
      whatever its weights are, and where it is not all are near 1 / K. Up to
      a constant, logits are logarithms of the probabilities, so centred ones
      are computed from what the artifact gives;
    - the first class is the same wherever the model's two largest
      probabilities differ by more than 2 * `tolerance`.

    A model of lower precision is compared through its float32 copy.

    Args:
        directory: with manifest.json, labels.txt and card.json.
        model: `keras.Model` that was exported.
        images: sequence of real images, uint8 (H, W, 3) of any sizes.
        tolerance: float, of a probability.

    Returns:
        list of `Report`, one for each signature of each artifact.

    Raises:
        VerificationError: names every artifact that fails and how.
        keras_resnet.UsageError: if the directory is not an export, or there
            are no images.
    """
    directory = pathlib.Path(directory)
    artifacts, card = read_manifest(directory), load_card(directory)
    require(len(images), "There are no images to verify with. Pass some.")
    serving.check(model, card)
    reference = model if is_float32(model) else float32_copy(model)
    views = evaluation_views(images, card)
    expected = _batches(predictors.KerasPredictor(reference).predict, views)
    inputs = {"views": views, "files": list(map(_png, images))}
    reports, breaches = [], []
    for artifact in artifacts:
        try:
            found = _compare(directory, artifact, inputs, expected, tolerance)
        except UsageError as error:
            breaches.append(f"{artifact.path}: {error}")
            continue
        reports += found
        breaches += [line for r in found for line in _breaches(r, tolerance)]
    if breaches:
        raise VerificationError(
            f"{str(directory)!r} does not hold the network {model.name!r} as "
            "exported:\n  " + "\n  ".join(breaches) + "\nExport it again."
        )
    return reports


def evaluation_views(images, card):
    """What a model of this card sees: uint8 (N, S, S, 3), NumPy."""
    view = {"resize": card.eval_resize, "size": card.image_size}
    return np.stack(
        [transforms.evaluation(image, **view).numpy() for image in images]
    )


def _png(image):
    return tf.io.encode_png(image).numpy()


def _batches(predict, inputs):
    """`predict` over a sequence in batches, so that memory stays small."""
    return np.concatenate(
        [predict(inputs[i : i + _BATCH]) for i in range(0, len(inputs), _BATCH)]
    )


def _compare(directory, artifact, inputs, expected, tolerance):
    path = directory / artifact.path
    require(path.exists(), "it is missing.")
    require(
        sha256(path) == artifact.sha256,
        "its sha256 is not the manifest's: it was changed or damaged.",
    )
    predictor = runtime.load(path)
    require(
        predictor.num_classes == expected.shape[-1],
        f"it has {predictor.num_classes} classes, the model "
        f"{expected.shape[-1]}.",
    )
    runs = {"serving_default": (predictor.predict, inputs["views"])}
    if artifact.format == "saved_model":
        runs["serve_bytes"] = (predictor.predict_bytes, inputs["files"])
    return [
        _report(
            artifact.path,
            signature,
            expected,
            _batches(predict, data),
            tolerance,
        )
        for signature, (predict, data) in runs.items()
    ]


def _report(path, signature, expected, actual, tolerance):
    logits = _centred_logits(expected)
    spread = max(logits.std(), _SMALLEST_SPREAD)
    same = expected.argmax(-1) == actual.argmax(-1)
    ordered = np.sort(expected, axis=-1)
    second = ordered[:, -2] if ordered.shape[-1] > 1 else 0.0
    clear = ordered[:, -1] - second > 2 * tolerance
    logit_diff = np.abs(logits - _centred_logits(actual)).max() / spread
    return Report(
        path=path,
        signature=signature,
        max_abs_diff=float(np.abs(expected - actual).max()),
        relative_logit_diff=float(logit_diff),
        top1_agreement=float(same.mean()),
        clear_agreement=float(same[clear].mean()) if clear.any() else 1.0,
        num_images=len(expected),
    )


def _centred_logits(probabilities):
    """Logits of mean 0, from float32 (N, K) probabilities; float64."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    return logits - logits.mean(-1, keepdims=True)


def _breaches(report, tolerance):
    name = f"{report.path} ({report.signature})"
    lines = []
    # Not `>`: NaN must not pass.
    if not report.max_abs_diff <= tolerance:
        lines.append(
            f"{name}: a probability differs by {report.max_abs_diff:.2g}, "
            f"more than {tolerance:.2g}."
        )
    if not report.relative_logit_diff <= LOGIT_TOLERANCE:
        lines.append(
            f"{name}: a logit differs by {report.relative_logit_diff:.2g} "
            f"standard deviations, more than {LOGIT_TOLERANCE:.2g}."
        )
    if report.clear_agreement != 1.0:
        lines.append(
            f"{name}: the first class agrees for {report.clear_agreement:.1%} "
            "of the images that are clear to the model, not for all."
        )
    return lines
