"""Residual units as Keras layers.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so every layer runs on any Keras backend.
"""

import collections
import dataclasses
import itertools

import keras

from keras_resnet.errors import lookup
from keras_resnet.networks import dilated
from keras_resnet.networks import execution
from keras_resnet.networks import inside
from keras_resnet.networks import operations
from keras_resnet.networks import primitives
from keras_resnet.networks import rows
from keras_resnet.networks import shortcuts
from keras_resnet.networks import stochastic_depth as depth_lib
from keras_resnet.networks.chain import Chain

__all__ = ("Chain", "ResidualUnit")


@operations.serializable
class ResidualUnit(inside.Readable, keras.layers.Layer):
    """x' = f(h(p) + F(p)), p = before(x): one residual unit (P2 eq. 1, 2).

    A projection reads p, the activation it shares with the branch; h reads x
    where it is the identity (P2 appendix). A projection is normalised if and
    only if the branch ends in BN.

    Args:
        filters: int, of the stage; the output has `block.expansion` times as
            many.
        strides: int, of the unit.
        dilation: (int, int), of the convolutions up to the strided one and of
            those behind it: `dilated.Strides` says which.
        agrees: bool, whether input and output have the same shape. If so, h is
            `shortcut.same`, else `shortcut.change`. In a strided unit the
            identity takes every `strides`-th pixel.
        block, placement, shortcut: rows of `specs`, or dicts of their fields.
        stochastic_depth: float, the probability that training skips the branch
            for an example.
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
        dilation=(1, 1),
        stochastic_depth=0.0,
        remat=False,
        shared=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.remat, self.shared = remat, shared
        self.filters, self.strides, self.agrees = filters, strides, agrees
        self.dilation = tuple(dilation)
        self.block = rows.from_fields(rows.Block, block)
        self.placement = rows.from_fields(rows.Placement, placement)
        self.shortcut = rows.from_fields(rows.Shortcut, shortcut)
        seen = collections.Counter()
        self.before = self._ops(self.placement.before, seen=seen)
        self.branch = self._branch(seen)
        self.after_add = self._ops(self.placement.after_add, seen=seen)
        self.kind = self.shortcut.same if agrees else self.shortcut.change
        self.shortcut_layers = self._shortcut_layers()
        self.gate = shortcuts.gate(self)
        self.stochastic_depth = stochastic_depth
        self.seed_generator = depth_lib.generator(stochastic_depth, self.name)
        if self.dilation != (1, 1):
            dilated.check(self)

    def _ops(self, names, convolutions=(), *, seen):
        return operations.make_ops(
            names, convolutions, dtype=self.dtype_policy, seen=seen
        )

    def _branch(self, seen):
        block, placement = self.block, self.placement
        convolutions = block.convolutions(
            self.filters, self.strides, self.dilation
        )
        joint = (*placement.between, "conv")
        names = ("conv", *joint * (len(block.kernels) - 1), *placement.after)
        return self._ops(names, convolutions, seen=seen)

    def _shortcut_layers(self):
        layers = lookup(shortcuts.KINDS, self.kind, "kind of shortcut")(self)
        if self.shortcut.dropout:
            dropout = primitives.Dropout(
                self.shortcut.dropout,
                f"{self.name}_dropout",
                name="shortcut_dropout",
                dtype=self.dtype_policy,
            )
            layers.append(dropout)
        return layers

    @property
    def channels(self):
        """int, of the unit's output."""
        return self.filters * self.block.expansion

    def normalise_shortcut(self):
        """Layers that normalise a projection, if the branch is normalised.

        Returns:
            list: a batch normalisation, or what it is folded into; or empty.
        """
        return [
            operations.NORMALISERS[op](
                name=f"shortcut_{op}", dtype=self.dtype_policy
            )
            for op in self.placement.after
            if op in operations.NORMALISERS
        ]

    @property
    def layers(self):
        """All its ops, as in `Chain`; `keras.Model.summary` reads both.

        Not a list: a Keras file would name variables after this attribute.
        """
        return collections.deque(itertools.chain(*self.paths()))

    def paths(self):
        """Its layers, as lists; each list is applied in order."""
        return [
            self.before,
            self.branch,
            self.shortcut_layers,
            self.gate,
            self.after_add,
        ]

    def with_ops(self, change):
        """As `Chain.with_ops`."""
        after_conv = {"between", "after"}  # places behind a convolution
        rows = dataclasses.asdict(self.placement).items()
        return {
            "placement": {
                place: change(names, "conv" if place in after_conv else None)
                for place, names in rows
            }
        }

    def build(self, input_shape):
        with execution.common_name():
            shared = operations.build(self.before, input_shape)
            output_shape = operations.build(self.branch, shared)
            operations.build(self.shortcut_layers, shared)
            operations.build(self.gate, shared)
            operations.build(self.after_add, output_shape)

    def run(self, x, training):
        if training:
            return execution.call_unit(self, x)
        return self.compute(x, training)

    def compute(
        self,
        x,
        training,
        hold=lambda tensor: tensor,
        apply=operations.apply,
        kept=None,
    ):
        """The output of the unit, however it is executed.

        `hold` is applied to the branch and to the input of the gate: with
        `tf.stop_gradient` only shortcuts pass the gradient on. `apply` runs
        each path; `kept` is what `draw` returned, if it was called.
        """
        shared = apply(self.before, x, training)
        branch = hold(apply(self.branch, shared, training))
        if self.kind == "none":
            return apply(self.after_add, branch, training)
        shortcut = x if self.kind == "identity" else shared
        shortcut = apply(self.shortcut_layers, shortcut, training)
        kept = self.draw(x) if training and kept is None else kept
        if kept is not None:
            branch = branch * keras.ops.cast(kept, branch.dtype)
        y = self.join(shortcut, branch, hold(shared), apply)
        return apply(self.after_add, y, training)

    def draw(self, x):
        """As `stochastic_depth.draw`, for this unit."""
        return depth_lib.draw(
            x, self.stochastic_depth, self.name, self.seed_generator
        )

    def join(self, shortcut, branch, shared, apply=operations.apply):
        """The sum, scaled or gated: what the ops after the addition get."""
        row = self.shortcut
        if self.gate:
            gate = apply(self.gate, shared, None)
            shortcut = (1 - gate) * shortcut
            branch = gate * branch if row.gate == "exclusive" else branch
        if row.scale != 1:
            shortcut = row.scale * shortcut
        if row.branch_scale != 1:
            branch = row.branch_scale * branch
        return shortcut + branch

    def compute_output_shape(self, input_shape):
        return operations.output_shape(self.before + self.branch, input_shape)

    def multiply_adds(self, shape):
        """As `operations.multiply_adds`."""
        count = operations.sum_multiply_adds
        shared = operations.output_shape(self.before, shape)
        after = self.compute_output_shape(shape)
        return (
            count(self.before, shape)
            + count(self.branch, shared)
            + count(self.shortcut_layers, shared)
            + count(self.gate, shared)
            + count(self.after_add, after)
        )

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "dilation": self.dilation,
            "agrees": self.agrees,
            "block": dataclasses.asdict(self.block),
            "placement": dataclasses.asdict(self.placement),
            "shortcut": dataclasses.asdict(self.shortcut),
            "stochastic_depth": self.stochastic_depth,
            "remat": self.remat,
            "shared": self.shared,
        }
