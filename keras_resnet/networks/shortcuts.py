"""The kinds of shortcut that rows of `specs` name: h, around the branch.

`register` adds one of your own. Shapes: B batch, H height, W width, C channels.
Imports keras only, so every layer runs on any Keras backend.
"""

import keras
from keras import ops

from keras_resnet.errors import register as register_row
from keras_resnet.errors import require
from keras_resnet.networks import operations


@operations.serializable
class ZeroPadShortcut(keras.layers.Layer):
    """Option A: take every `strides`-th pixel, append channels of zeros.

    No weights (P1 sec. 3.3). The zeros come last, as in fb.resnet.torch.
    """

    pixelwise = True

    def __init__(self, filters, strides, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def build(self, input_shape):
        require(
            input_shape[-1] <= self.filters,
            "A shortcut that pads with zeros (option A) cannot take channels "
            f"away: {input_shape[-1]} come in, {self.filters} are wanted. "
            "Take shortcut B, more filters, or a narrower stem.",
        )

    def call(self, x):
        if self.strides > 1:
            # A pool of one pixel: TensorFlow takes ten times as long for `::2`,
            # with its gradient a tenth of a ResNet-20's step.
            x = ops.average_pool(x, 1, self.strides, **operations.LAYOUT)
        extra = self.filters - x.shape[-1]
        return ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, extra]])

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        size = [n and -(-n // self.strides) for n in size]
        return (batch, *size, self.filters)

    def get_config(self):
        config = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **config}


def _none(unit):
    del unit
    return []


def _subsample(unit):
    if unit.strides == 1:
        return []
    # A pool of one pixel: a runtime has a faster kernel for it than for `::2`.
    pool = keras.layers.MaxPooling2D(
        1,
        unit.strides,
        name="shortcut_subsample",
        dtype=unit.dtype_policy,
        **operations.LAYOUT,
    )
    return [pool]


def _zero_pad(unit):
    name, dtype = "shortcut_zero_pad", unit.dtype_policy
    return [
        ZeroPadShortcut(unit.channels, unit.strides, name=name, dtype=dtype)
    ]


def _project(unit):
    return _projection(unit, unit.strides)


def _pool_and_project(unit):
    before, after = unit.dilation
    require(
        before == after,
        "output_stride is not defined for shortcuts that pool: ResNet-D. "
        f"Received: a dilation in place of a stride in {unit.name!r}.",
    )
    if unit.strides == 1:
        return _projection(unit, 1)
    # At the edges, the mean of only the pixels inside the image.
    pool = keras.layers.AveragePooling2D(
        2,
        unit.strides,
        padding="same",
        name="shortcut_pool",
        dtype=unit.dtype_policy,
        **operations.LAYOUT,
    )
    return [pool, *_projection(unit, 1)]


def _projection(unit, strides):
    name, dtype = "shortcut_conv", unit.dtype_policy
    conv = operations.conv2d(unit.channels, 1, strides, name=name, dtype=dtype)
    return [*conv, *unit.normalise_shortcut()]


# {name in `specs.Shortcut`: unit -> layers of h}. A unit without h has no
# addition; the identity reads x, all others read p.
KINDS = {
    "none": _none,
    "identity": _subsample,
    "zero_pad": _zero_pad,
    "projection": _project,
    "pooled_projection": _pool_and_project,
}


def gate(unit):
    """Layers of a unit's gate (P2 sec. 3.1); empty if it has none."""
    row = unit.shortcut
    if row.gate == "none":
        return []
    return operations.conv2d(
        unit.channels,
        1,
        unit.strides,
        use_bias=True,
        bias_initializer=keras.initializers.Constant(row.gate_bias),
        activation="sigmoid",
        name="gate",
        dtype=unit.dtype_policy,
    )


def register(kind, make):
    """Adds a kind of shortcut that `specs.Shortcut` may name.

    Args:
        kind: str, for `same` or `change` of a row.
        make: function from a `ResidualUnit` to a list of new Keras layers,
            which turn p into (B, ceil(H / strides), ceil(W / strides),
            channels). The unit's `channels`, `strides`, `dtype_policy` and
            `normalise_shortcut()` are set. Layer names begin with "shortcut_".

    Raises:
        keras_resnet.UsageError: if the name is taken.
    """
    register_row(KINDS, kind, make, "kind of shortcut")
