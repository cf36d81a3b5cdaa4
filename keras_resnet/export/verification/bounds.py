"""How far an artifact may be from the Keras model, by its precision."""

import dataclasses
import math

import numpy as np

# exp() of a runtime may flush smaller probabilities to zero.
_SMALLEST = 1e-30

# Probability of a "no" below which float32 leaves a sigmoid too few digits.
_SMALLEST_NO = 1e-2

# Logits that are almost equal have no spread to measure by.
_SMALLEST_SPREAD = 1e-2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bound:
    """What must hold for a precision.

    Attributes:
        probability: largest difference of a probability.
        logit: largest difference of a logit, in standard deviations of the
            logits.
        margin: difference between the model's two largest probabilities above
            which its first class is clear. For independent labels, between
            those of a yes and of a no to each.
        agreement: least fraction of the clear images with the same first class;
            or of the clear answers to labels.
        accuracy_loss: largest loss of top-1 accuracy, or of right answers to
            labels, a fraction. One image may always be lost, even if it is a
            larger fraction.
    """

    probability: float = math.inf
    logit: float = math.inf
    margin: float
    agreement: float = 1.0
    accuracy_loss: float = math.inf


_INT8 = Bound(margin=0.1, agreement=0.99, accuracy_loss=0.005)

# Float32 arithmetic in another order changes a probability by 1e-6 to 1e-5; a
# ResNet-50 shows 9.4e-5 standard deviations of a logit between runtimes. A
# float16 weight has 11 bits: steps of 1 / 2048. The logits of sure networks
# spread by 10; 2 % of that moves a probability by 0.2 * p (1 - p), 0.05 at
# most. bfloat16 has 8 bits, in activations too: a ResNet-50 shows 0.03 standard
# deviations of a logit.
BOUNDS = {
    "float32": Bound(probability=1e-4, logit=1e-3, margin=2e-4),
    "float16": Bound(probability=5e-2, logit=2e-2, margin=1e-1),
    "bfloat16": Bound(
        logit=0.15, margin=0.1, agreement=0.99, accuracy_loss=0.005
    ),
    "dynamic_int8": _INT8,
    "int8": _INT8,
}


EIGHT_BITS = tuple(name for name in BOUNDS if BOUNDS[name] is _INT8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """How far an artifact is from the Keras model.

    Attributes:
        path: of the artifact, relative to its directory.
        signature: "serving_default", or "serve_bytes" of a SavedModel.
        runtime: "own", or "openvino" for the second opinion.
        precision: as `Artifact` has it.
        max_abs_diff: largest difference of a probability.
        relative_logit_diff: largest difference of a logit in standard
            deviations of the logits.
        top1_agreement: fraction of images with the same first class; None for
            independent labels.
        clear_agreement: the same fraction, of what is clear to the model.
        accuracy_loss: top-1 accuracy of the model, or its fraction of right
            answers to labels, minus the artifact's; None without labels.
        num_images: int.
        label_agreement: for independent labels, the fraction of the answers
            (yes above 0.5) that are the same; else None.
    """

    path: str
    signature: str
    runtime: str
    precision: str
    max_abs_diff: float
    relative_logit_diff: float
    top1_agreement: float | None
    clear_agreement: float
    accuracy_loss: float | None
    num_images: int
    label_agreement: float | None = None


def compare(
    expected, actual, *, bound, labels=None, multi_label=False, **names
):
    """The `Report` of an artifact's probabilities beside the model's.

    Both are float32 (N, K). `labels` are N ints, or None; with `multi_label`,
    for independent probabilities, they are (N, K) of 0 and 1. `names` are the
    fields of `Report` that say what was compared.
    """
    logits_of = _sigmoid_logits if multi_label else _centred_logits
    answers = _yes if multi_label else _first
    logits = logits_of(expected)
    spread = max(logits.std(), _SMALLEST_SPREAD)
    same = answers(expected) == answers(actual)
    clear = _margins(expected, multi_label) > bound.margin
    logit_diff = np.abs(logits - logits_of(actual)).max() / spread
    agreement = "label_agreement" if multi_label else "top1_agreement"
    lost = None
    if labels is not None:
        lost = float(
            (answers(expected) == np.asarray(labels)).mean()
            - (answers(actual) == np.asarray(labels)).mean()
        )
    return Report(
        **names,
        **{"top1_agreement": None, agreement: float(same.mean())},
        max_abs_diff=float(np.abs(expected - actual).max()),
        relative_logit_diff=float(logit_diff),
        clear_agreement=float(same[clear].mean()) if clear.any() else 1.0,
        accuracy_loss=lost,
        num_images=len(expected),
    )


def _first(probabilities):
    return probabilities.argmax(-1)


def _yes(probabilities):
    return probabilities > 0.5


def _margins(probabilities, multi_label):
    """By how much each answer is more probable than the next."""
    if multi_label:
        return np.abs(2 * probabilities - 1)
    ordered = np.sort(probabilities, axis=-1)
    second = ordered[:, -2] if ordered.shape[-1] > 1 else 0.0
    return ordered[:, -1] - second


def _sigmoid_logits(probabilities):
    """Logits, float64 (N, K), as exact as the float32 probabilities allow."""
    yes = np.maximum(probabilities.astype(np.float64), _SMALLEST)
    return np.log(yes) - np.log(np.maximum(1 - yes, _SMALLEST_NO))


def _centred_logits(probabilities):
    """Logits of mean 0, from float32 (N, K) probabilities; float64."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    return logits - logits.mean(-1, keepdims=True)


def breaches(report, bound):
    """A line for each thing that does not hold; none if all is well."""
    name = f"{report.path} ({report.signature})"
    if report.runtime != "own":
        name = f"{report.path} ({report.signature}, by {report.runtime})"
    lines = []
    # Not `>`: NaN must not pass.
    if not report.max_abs_diff <= bound.probability:
        lines.append(
            f"{name}: a probability differs by {report.max_abs_diff:.2g}, "
            f"more than {bound.probability:.2g}."
        )
    if not report.relative_logit_diff <= bound.logit:
        lines.append(
            f"{name}: a logit differs by {report.relative_logit_diff:.2g} "
            f"standard deviations, more than {bound.logit:.2g}."
        )
    several = report.label_agreement is not None
    if not report.clear_agreement >= bound.agreement:
        what = ("the first class agrees for", "of the images")
        if several:
            what = ("yes or no agrees for", "of the labels")
        lines.append(
            f"{name}: {what[0]} {report.clear_agreement:.1%} {what[1]} that "
            f"are clear to the model, not for {bound.agreement:.0%}."
        )
    lost = max(bound.accuracy_loss, 1 / report.num_images) + 1e-9
    if report.accuracy_loss is not None and not report.accuracy_loss <= lost:
        lines.append(
            f"{name}: {report.accuracy_loss:.1%} of "
            f"{'right labels' if several else 'top-1 accuracy'} are lost, "
            f"more than {lost:.1%}."
        )
    return lines
