"""Artifacts against the Keras model that they were made from."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from collections.abc import Sequence

import keras
import numpy as np

from keras_resnet import progress
from keras_resnet.data.pixels import transforms
from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.folding.copies import is_float32
from keras_resnet.export.verification import bounds
from keras_resnet.export.verification import diagnosis
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.listing import find_changes
from keras_resnet.export.writers import serving
from keras_resnet.inference import predictors
from keras_resnet.inference.artifact import read_manifest
from keras_resnet.labels.cards import load_card
from keras_resnet.labels.view import View

# Of a probability of a float32 artifact.
TOLERANCE = bounds.BOUNDS["float32"].probability

_BATCH = 16


class VerificationError(UsageError):
    """An artifact is not the network that it was exported from."""


def check_files(directory):
    """Holds every file of an export against its sha256; runs nothing.

    Returns:
        int, how many files there are.

    Raises:
        VerificationError: names every file that is missing or was changed.
        keras_resnet.UsageError: if the directory is not an export.
    """
    changed, count = find_changes(directory)
    if changed:
        raise VerificationError(
            f"{str(directory)!r} is not as it was exported:\n  "
            + "\n  ".join(f"{name}: {what}" for name, what in changed.items())
            + "\nExport it again."
        )
    return count


def verify(
    directory: str | os.PathLike,
    model: keras.Model,
    images: Sequence[np.ndarray],
    *,
    labels: Sequence[int] | None = None,
    tolerance: float = TOLERANCE,
    runtimes: Sequence[str] = (isolated.OWN,),
    predict: Callable = isolated.predict_isolated,
) -> list[bounds.Report]:
    """Runs each artifact of a manifest and compares it with the Keras model.

    Before anything runs, every file is held against its sha256. Then each
    artifact, in its own runtime and a process of its own, gets the evaluation
    views of the images, alone and by threes, and a SavedModel also their PNG
    files, through `serve_bytes`. By the `bounds.BOUNDS` of its precision:

    - no probability differs by more than a tolerance;
    - no logit differs by more than some standard deviations: where a network
      is sure of itself all probabilities are near 0 and 1 whatever its weights
      are, and where it is not all are near 1 / K. Up to a constant, logits are
      logarithms of the probabilities, so centred ones are computed from what
      the artifact gives;
    - the first class is the same wherever it is clear to the model; of
      independent labels (`card.multi_label`) each label's yes or no is;
    - with labels, 8 bits lose hardly any accuracy.

    Where a file of 8 bits fails, the message has the errors of its layers.

    A model of lower precision is compared through its float32 copy, whose BN
    is not folded.

    Args:
        directory: with manifest.json, labels.txt and card.json.
        model: `keras.Model` that was exported.
        images: sequence of real images, uint8 (H, W, 3) of any sizes.
        labels: their classes, ints, or (N, K) of 0 and 1; or None.
        tolerance: float, of a probability of a float32 artifact.
        runtimes: keys of `runtime.RUNTIMES`: "own", "openvino".
        predict: `isolated.predict_isolated`, or `isolated.predict` to stay in
            this process.

    Returns:
        list of `bounds.Report`, one for each signature of each artifact in
        each runtime that reads it.

    Raises:
        VerificationError: names every artifact that fails and how.
        keras_resnet.UsageError: if the directory is not an export, or there
            are no images.
    """
    directory = pathlib.Path(directory)
    check_files(directory)
    artifacts, card = read_manifest(directory), load_card(directory)
    require(len(images), "There are no images to verify with. Pass some.")
    serving.check_model(model, card)
    inputs = isolated.Inputs(evaluation_views(images, card), images)
    expected = _expect(model, inputs.views)
    reports, breaches = [], []
    for artifact in artifacts:
        bound, path = _bound(artifact, tolerance), directory / artifact.path
        found, wrong = [], []
        progress.say(f"Verifying {artifact.path} on {len(images)} images")
        for runtime in runtimes:
            try:
                results = predict(path, inputs, runtime=runtime)
                _check_classes(results, expected)
            except UsageError as error:
                wrong.append(f"{artifact.path}: {error}")
            else:
                found += _compare(
                    expected,
                    results,
                    artifact,
                    runtime,
                    bound,
                    labels,
                    card.multi_label,
                )
        wrong += [line for r in found for line in bounds.breaches(r, bound)]
        if wrong and artifact.precision in bounds.EIGHT_BITS:
            wrong.append(_diagnose(path, model, card, inputs.views))
        reports += found
        breaches += wrong
    if breaches:
        raise VerificationError(
            f"{str(directory)!r} does not hold the network {model.name!r} as "
            "exported:\n  " + "\n  ".join(breaches) + "\nExport it again."
        )
    return reports


def _compare(expected, results, artifact, runtime, bound, labels, multi_label):
    """A `bounds.Report` for each signature of an artifact in a runtime."""
    return [
        bounds.compare(
            expected,
            actual,
            bound=bound,
            labels=labels,
            multi_label=multi_label,
            path=artifact.path,
            precision=artifact.precision,
            signature=signature,
            runtime=runtime,
        )
        for signature, actual in results.items()
    ]


def _diagnose(path, model, card, views):
    table = diagnosis.diagnose(path, model=model, card=card, views=views)
    indented = table.replace("\n", "\n    ")
    return f"its layers beside those of float32:\n    {indented}"


def _bound(artifact, tolerance):
    bound = lookup(bounds.BOUNDS, artifact.precision, "precision")
    if artifact.precision != "float32":
        return bound
    return dataclasses.replace(
        bound, probability=tolerance, margin=2 * tolerance
    )


def evaluation_views(images, card):
    """What a model of this card sees: uint8 (N, S, S, 3), NumPy."""
    view = View.of(card)
    return np.stack(
        [transforms.evaluation(image, view).numpy() for image in images]
    )


def _expect(model, views):
    """The model's float32 (N, K), in batches, so that memory stays small."""
    reference = model if is_float32(model) else float32_copy(model)
    predict = predictors.KerasPredictor(reference).predict
    return np.concatenate(
        [predict(views[i : i + _BATCH]) for i in range(0, len(views), _BATCH)]
    )


def _check_classes(results, expected):
    for actual in results.values():
        require(
            actual.shape == expected.shape,
            f"it has {actual.shape[-1]} classes, the model "
            f"{expected.shape[-1]}.",
        )
