"""How far an artifact's features may be from the Keras model's."""

import dataclasses
import math

import numpy as np

from keras_resnet.errors import lookup

_SMALLEST = 1e-12  # a map of zeros has no direction


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bound:
    """What must hold for a precision.

    Attributes:
        difference: largest difference of a value, in standard deviations of
            what the model gives at this output.
        cosine: least cosine between the model's features of an image and the
            artifact's, all positions as one vector.
    """

    difference: float = math.inf
    cosine: float


# Float32 arithmetic in another order changes a logit by 1e-4 deviations at
# most, float16 weights by 2e-2 (`bounds`). 8-bit features are compared by their
# direction, which is what a search compares.
BOUNDS = {
    "float32": Bound(difference=1e-3, cosine=1 - 1e-6),
    "float16": Bound(difference=5e-2, cosine=1 - 1e-4),
    "bfloat16": Bound(cosine=0.999),
    "dynamic_int8": Bound(cosine=0.98),
    "int8": Bound(cosine=0.95),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """How far one output of an artifact is from the Keras model's.

    Attributes:
        path, signature, runtime, precision: as `bounds.Report` has them.
        output: its name.
        max_abs_diff: largest difference of a value.
        relative_diff: the same, in standard deviations of the model's values.
        cosine: the least of all images.
        num_images: int.
    """

    path: str
    signature: str
    runtime: str
    precision: str
    output: str
    max_abs_diff: float
    relative_diff: float
    cosine: float
    num_images: int

    def measured(self):
        """What a manifest says of the output."""
        names = ("max_abs_diff", "relative_diff", "cosine")
        return {name: getattr(self, name) for name in names}


def compare(expected, actual, **names):
    """The `Report` of float32 (N, ...) features beside the model's.

    `names` are the fields of `Report` that say what was compared.
    """
    difference = float(np.abs(expected - actual).max())
    spread = max(float(expected.std(dtype=np.float64)), _SMALLEST)
    return Report(
        **names,
        max_abs_diff=difference,
        relative_diff=difference / spread,
        cosine=float(_cosines(expected, actual).min()),
        num_images=len(expected),
    )


def _cosines(expected, actual):
    """float64 (N,); 1 where both are zero."""
    flat = [
        x.reshape(len(x), -1).astype(np.float64) for x in (expected, actual)
    ]
    norms = [np.maximum(np.linalg.norm(x, axis=1), _SMALLEST) for x in flat]
    same = (flat[0] == flat[1]).all(axis=1)
    product = (flat[0] * flat[1]).sum(axis=1)
    return np.where(same, 1.0, product / (norms[0] * norms[1]))


def breaches(report):
    """A line for each thing that does not hold; none if all is well."""
    bound = lookup(BOUNDS, report.precision, "precision")
    name = f"{report.path} ({report.signature}, {report.output})"
    lines = []
    # Not `>`: NaN must not pass.
    if not report.relative_diff <= bound.difference:
        lines.append(
            f"{name}: a value differs by {report.relative_diff:.2g} standard "
            f"deviations, more than {bound.difference:.2g}."
        )
    if not report.cosine >= bound.cosine:
        lines.append(
            f"{name}: the cosine with the model's features is "
            f"{report.cosine:.6f}, less than {bound.cosine:.6f}."
        )
    return lines
