"""The end of a network: pooling and the classifier.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import dataclasses
import numbers

import keras

from keras_resnet.errors import require
from keras_resnet.networks.operations import LAYOUT

_ACTIVATIONS = ("softmax", "sigmoid", None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """What follows the last unit; arguments of `build`."""

    include_top: bool
    pooling: str | None
    classes: int
    activation: str | None

    def __post_init__(self):
        require(
            self.pooling is None or self.pooling in _POOLING,
            "pooling must be None, 'avg' or 'max'. "
            f"Received: {self.pooling!r}.",
        )
        require(
            is_positive_int(self.classes),
            f"classes must be an int >= 1. Received: classes={self.classes!r}.",
        )
        require(
            not self.include_top or self.activation in _ACTIVATIONS,
            "classifier_activation must be 'softmax', 'sigmoid' for labels "
            "that do not exclude each other, or None for logits. "
            f"Received: {self.activation!r}.",
        )

    def __call__(self, x, policy, full):
        """The outputs for the maps `x` (B, H, W, C)."""
        if self.include_top:
            return self._classify(_pool("avg", policy)(x), full)
        return _pool(self.pooling, policy)(x) if self.pooling else x

    def _classify(self, x, dtype):
        # P1 does not say; fb.resnet.torch keeps Torch's U(+-1 / sqrt(inputs)).
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        x = keras.layers.Dense(
            self.classes, kernel_initializer=uniform, name="logits", dtype=dtype
        )(x)
        if self.activation is None:
            return x
        return keras.layers.Activation(
            self.activation, name="probabilities", dtype=dtype
        )(x)


_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def _pool(kind, policy):
    return _POOLING[kind](name="pool", dtype=policy, **LAYOUT)


def is_positive_int(value):
    # NumPy's integers count, True does not.
    integral = isinstance(value, numbers.Integral)
    return integral and not isinstance(value, bool) and value > 0
