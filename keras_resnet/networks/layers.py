"""Residual units as Keras layers.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so every layer runs on any Keras backend.
"""

import collections
import dataclasses

import keras
from keras import ops

from keras_resnet.networks import execution
from keras_resnet.networks import operations
from keras_resnet.networks import specs


@operations.register
class Chain(keras.layers.Layer):
    """A few ops in a row under one name: the stem, or the end of a network.

    Args:
        ops, convolutions: as `operations.make_ops` takes them.
    """

    def __init__(self, ops, convolutions=(), **kwargs):
        super().__init__(**kwargs)
        self.config = {"ops": list(ops), "convolutions": list(convolutions)}
        self.layers = operations.make_ops(
            ops, convolutions, dtype=self.dtype_policy
        )

    def build(self, input_shape):
        operations.build(self.layers, input_shape)

    def call(self, x, training=None):
        return operations.apply(self.layers, x, training)

    def compute_output_shape(self, input_shape):
        return operations.output_shape(self.layers, input_shape)

    def get_config(self):
        return {**super().get_config(), **self.config}


@operations.register
class ZeroPadShortcut(keras.layers.Layer):
    """Option A: take every `strides`-th pixel, append channels of zeros.

    No weights (P1 sec. 3.3). The zeros come last, as in fb.resnet.torch.
    """

    pixelwise = True

    def __init__(self, filters, strides, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, x):
        x = x[:, :: self.strides, :: self.strides, :]
        extra = self.filters - x.shape[-1]
        return ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, extra]])

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        size = [n and -(-n // self.strides) for n in size]
        return (batch, *size, self.filters)

    def get_config(self):
        config = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **config}


@operations.register
class ResidualUnit(keras.layers.Layer):
    """x' = f(h(p) + F(p)), p = before(x): one residual unit (P2 eq. 1, 2).

    A projection reads p, the activation it shares with the branch; h reads x
    where it is the identity (P2 appendix). A projection is normalised if and
    only if the branch ends in BN.

    Args:
        filters: int, of the stage; the output has `block.expansion` times it.
        strides: int, of the unit.
        agrees: bool, whether input and output have the same shape, that is,
            whether `shortcut.same` or `shortcut.change` is h. An identity of a
            unit that strides takes every `strides`-th pixel.
        block, placement, shortcut: rows of `specs`, or dicts of their fields.
        remat, shared: bools, how it is trained (`execution.call_unit`).

    Input shape:
        (B, H, W, C).

    Output shape:
        (B, ceil(H / strides), ceil(W / strides), filters * expansion).
    """

    def __init__(
        self,
        filters,
        *,
        strides,
        agrees,
        block,
        placement,
        shortcut,
        remat=False,
        shared=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.remat, self.shared = remat, shared
        self.filters, self.strides, self.agrees = filters, strides, agrees
        self.block = _row(specs.Block, block)
        self.placement = _row(specs.Placement, placement)
        self.shortcut = _row(specs.Shortcut, shortcut)
        seen = collections.Counter()
        self.before = self._ops(self.placement.before, seen=seen)
        self.branch = self._branch(seen)
        self.after_add = self._ops(self.placement.after_add, seen=seen)
        self.kind = self.shortcut.same if agrees else self.shortcut.change
        self.shortcut_layers = self._shortcut_layers()
        self.gate = self._gate() if self.shortcut.gate != "none" else []

    def _ops(self, names, convolutions=(), *, seen):
        return operations.make_ops(
            names, convolutions, dtype=self.dtype_policy, seen=seen
        )

    def _branch(self, seen):
        block, placement = self.block, self.placement
        convolutions = [
            (self.filters * width, kernel, strides)
            for kernel, width, strides in zip(
                block.kernels,
                block.widths,
                [
                    self.strides if i == block.strided else 1
                    for i in range(len(block.kernels))
                ],
                strict=True,
            )
        ]
        joint = (*placement.between, "conv")
        names = ("conv", *joint * (len(block.kernels) - 1), *placement.after)
        return self._ops(names, convolutions, seen=seen)

    def _shortcut_layers(self):
        out, dtype = self.filters * self.block.expansion, self.dtype_policy
        if self.kind == "projection":
            name = "shortcut_conv"
            layers = operations.conv2d(
                out, 1, self.strides, name=name, dtype=dtype
            )
            for op in self.placement.after:
                if op in operations.NORMALISERS:
                    name = f"shortcut_{op}"
                    layers.append(
                        operations.NORMALISERS[op](name=name, dtype=dtype)
                    )
        elif self.kind == "zero_pad":
            name = "shortcut_zero_pad"
            layers = [
                ZeroPadShortcut(out, self.strides, name=name, dtype=dtype)
            ]
        elif self.kind == "identity" and self.strides > 1:
            # Of one pixel: a runtime has a faster kernel for it than for `::2`.
            name = "shortcut_subsample"
            layers = [
                keras.layers.MaxPooling2D(
                    1,
                    self.strides,
                    name=name,
                    dtype=dtype,
                    **operations.LAYOUT,
                )
            ]
        else:
            layers = []
        if self.shortcut.dropout:
            layers.append(
                keras.layers.Dropout(
                    self.shortcut.dropout, name="shortcut_dropout", dtype=dtype
                )
            )
        return layers

    def _gate(self):
        return operations.conv2d(
            self.filters * self.block.expansion,
            1,
            self.strides,
            use_bias=True,
            bias_initializer=keras.initializers.Constant(
                self.shortcut.gate_bias
            ),
            activation="sigmoid",
            name="gate",
            dtype=self.dtype_policy,
        )

    @property
    def layers(self):
        """All its ops, as `Chain` has them; `keras.Model.summary` reads both.

        Not a list: a Keras file would name variables after this one.
        """
        return collections.deque(
            [
                *self.before,
                *self.branch,
                *self.shortcut_layers,
                *self.gate,
                *self.after_add,
            ]
        )

    def build(self, input_shape):
        with execution.common_name():
            shared = operations.build(self.before, input_shape)
            output_shape = operations.build(self.branch, shared)
            operations.build(self.shortcut_layers, shared)
            operations.build(self.gate, shared)
            operations.build(self.after_add, output_shape)

    def call(self, x, training=None):
        if training:
            return execution.call_unit(self, x)
        return self.compute(x, training)

    def compute(self, x, training):
        """The unit itself: what `call` gives, however it is executed."""
        shared = operations.apply(self.before, x, training)
        branch = operations.apply(self.branch, shared, training)
        if self.kind == "none":
            return operations.apply(self.after_add, branch, training)
        shortcut = x if self.kind == "identity" else shared
        shortcut = operations.apply(self.shortcut_layers, shortcut, training)
        y = self.join(shortcut, branch, shared)
        return operations.apply(self.after_add, y, training)

    def join(self, shortcut, branch, shared):
        """The sum, scaled or gated: what the ops after the addition get."""
        row = self.shortcut
        if self.gate:
            gate = operations.apply(self.gate, shared, training=None)
            shortcut = (1 - gate) * shortcut
            branch = gate * branch if row.gate == "exclusive" else branch
        if row.scale != 1:
            shortcut = row.scale * shortcut
        if row.branch_scale != 1:
            branch = row.branch_scale * branch
        return shortcut + branch

    def compute_output_shape(self, input_shape):
        return operations.output_shape(self.before + self.branch, input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "agrees": self.agrees,
            "block": dataclasses.asdict(self.block),
            "placement": dataclasses.asdict(self.placement),
            "shortcut": dataclasses.asdict(self.shortcut),
            "remat": self.remat,
            "shared": self.shared,
        }


def _row(row_type, value):
    """A row of a table from itself or from the dict that a file holds."""
    if isinstance(value, row_type):
        return value
    return row_type(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    )
