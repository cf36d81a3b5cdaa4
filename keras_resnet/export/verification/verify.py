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
from keras_resnet.export.verification import feature_bounds
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.listing import find_changes
from keras_resnet.export.writers import checks
from keras_resnet.inference import predictors
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.inference.artifact import read_manifest
from keras_resnet.labels.cards import load_card
from keras_resnet.labels.view import View
from keras_resnet.networks import outputs

# Largest difference of a probability of a float32 artifact.
TOLERANCE = bounds.BOUNDS["float32"].probability

_BATCH = 16


class VerificationError(UsageError):
    """An artifact is not the network that it was exported from."""


def check_files(directory):
    """Compares every file of an export with its sha256; runs nothing.

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
    inputs: isolated.Inputs | None = None,
) -> list[bounds.Report]:
    """Runs each artifact of a manifest and compares it with the Keras model.

    First, every file is compared with its sha256. Then each artifact runs in
    its own runtime, in a process of its own. It gets the evaluation views of
    the images, alone and by threes; a SavedModel also gets their PNG files,
    through `serve_bytes`. The `bounds.BOUNDS` of its precision demand that

    - no probability differs by more than a tolerance;
    - no logit differs by more than some standard deviations. Probabilities
      alone show too little: those of a sure network are near 0 and 1 whatever
      its weights are, those of an unsure one near 1 / K. Logits are logarithms
      of the probabilities up to a constant, so centred logits are computed
      from what the artifact gives;
    - the first class is the same wherever it is clear to the model; for
      independent labels (`card.multi_label`), each label's yes or no;
    - with labels, 8 bits lose hardly any accuracy.

    Features are compared output by output, by `feature_bounds.BOUNDS`.

    If an 8-bit file fails, the message has the errors of its layers.

    A model of lower precision is compared through its float32 copy, whose BN
    is not folded.

    Args:
        directory: with manifest.json, labels.txt and card.json.
        model: `keras.Model` that was exported; for features, the classifier
            that they come from will do too.
        images: sequence of real images, uint8 (H, W, 3) of any sizes.
        labels: their classes, ints, or (N, K) of 0 and 1; or None.
        tolerance: float, of a probability of a float32 artifact.
        runtimes: keys of `runtime.RUNTIMES`: "own", "openvino".
        predict: `isolated.predict_isolated`, or `isolated.predict` to stay in
            this process.
        inputs: `isolated.Inputs` of the images, if already made.

    Returns:
        list of `bounds.Report`, one for each signature of each artifact in
        each runtime that reads it; for features a list of
        `feature_bounds.Report`, one for each output of these.

    Raises:
        VerificationError: names every artifact that fails and how.
        keras_resnet.UsageError: if the directory is not an export, or there
            are no images.
    """
    directory = pathlib.Path(directory)
    check_files(directory)
    artifacts, card = read_manifest(directory), load_card(directory)
    inputs = inputs or inputs_of(images, card)
    model = _as_exported(model, card)
    checks.check_model(model, card)
    expected = _expect(model, inputs.views)
    reports, breaches = [], []
    for artifact in artifacts:
        bound, path = _bound(artifact, tolerance), directory / artifact.path
        found, wrong = [], []
        progress.say(f"Verifying {artifact.path} on {len(images)} images")
        for runtime in runtimes:
            try:
                results = predict(path, inputs, runtime=runtime)
                _check_shapes(results, expected)
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
        wrong += [line for r in found for line in _breaches(r, bound)]
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


def _as_exported(model, card):
    """The model itself, or the model of the features that a card names.

    A classifier may be passed for either.
    """
    if not card.outputs or outputs.named_features(model):
        return model
    return outputs.features(model, card.outputs)


def _compare(expected, results, artifact, runtime, bound, labels, multi_label):
    """A report for each output of each signature of an artifact."""
    reports = []
    for signature, found in results.items():
        for output, actual in found.items():
            names = {
                "path": artifact.path,
                "precision": artifact.precision,
                "signature": signature,
                "runtime": runtime,
            }
            if output == PROBABILITIES:
                names |= {"bound": bound, "labels": labels}
                names |= {"multi_label": multi_label}
                compare = bounds.compare
            else:
                names["output"] = output
                compare = feature_bounds.compare
            reports.append(compare(expected[output], actual, **names))
    return reports


def _breaches(report, bound):
    if isinstance(report, feature_bounds.Report):
        return feature_bounds.breaches(report)
    return bounds.breaches(report, bound)


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


def inputs_of(images, card):
    """`isolated.Inputs` of images: their views and the images themselves."""
    return isolated.Inputs(evaluation_views(images, card), images)


def evaluation_views(images, card):
    """What a model of this card sees: uint8 (N, S, S, 3), NumPy.

    Raises:
        keras_resnet.UsageError: if there are no images.
    """
    require(len(images), "There are no images to verify with. Pass some.")
    view = View.of(card)
    return np.stack(
        [transforms.evaluation(image, view).numpy() for image in images]
    )


def _expect(model, views):
    """{output: float32 (N, ...)} of the model, in batches of few images."""
    reference = model if is_float32(model) else float32_copy(model)
    predict = predictors.KerasPredictor(reference)
    starts = range(0, len(views), _BATCH)
    parts = [predict(views[i : i + _BATCH]) for i in starts]
    return {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}


def _check_shapes(results, expected):
    for found in results.values():
        require(
            set(found) == set(expected),
            f"it gives {', '.join(found)}, the model {', '.join(expected)}.",
        )
        for name, actual in found.items():
            what = "classes" if name == PROBABILITIES else f"{name} channels"
            require(
                actual.shape[-1] == expected[name].shape[-1],
                f"it has {actual.shape[-1]} {what}, the model "
                f"{expected[name].shape[-1]}.",
            )
            require(
                actual.shape == expected[name].shape,
                f"its {name} is of shape {actual.shape}, the model's "
                f"{expected[name].shape}.",
            )
