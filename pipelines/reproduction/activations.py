"""Counts what training keeps of one image to compute the gradient.

Counts are elements of tensors. Each tensor that a gradient reads counts once,
even if several gradients read it: a unit's output is the next one's input.
"""

import dataclasses
import math

import keras

from keras_resnet.networks.layers import ResidualUnit


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the walk, equal to itself only. `shape` is (1, ...)."""

    shape: tuple

    @property
    def elements(self):
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Activations:
    """Elements that are kept for one image.

    Attributes:
        kept: without rematerialisation.
        remat: with it: the inputs of units, what stem and head keep, and the
            most that any one unit keeps inside.
    """

    kept: int
    remat: int


def count(layers, input_shape):
    """The `Activations` of a network.

    Args:
        layers: of a model from `keras_resnet.build`, in order, its input first.
        input_shape: (H, W, C).
    """
    x = Tensor((1, *input_shape))
    kept, between, greatest = set(), set(), 0
    for layer in layers[1:]:
        y, found = walk(layer, x)
        kept |= found
        if isinstance(layer, ResidualUnit):
            greatest = max(greatest, _elements(found - {x}))
            between.add(x)
        else:
            between |= found
        x = y
    return Activations(_elements(kept), _elements(between) + greatest)


def _elements(tensors):
    return sum(tensor.elements for tensor in tensors)


def walk(layer, x):
    """The output of a layer, and the set of tensors that its gradient reads.

    Args:
        layer: Keras layer, or an operation of ours or of a user.
        x: `Tensor`, its input.
    """
    if isinstance(layer, ResidualUnit):
        return _walk_unit(layer, x)
    if hasattr(layer, "layers"):
        return _walk_all(layer.layers, x)
    y = Tensor(layer.compute_output_shape(x.shape))
    return y, _read(layer, x, y)


def _walk_all(layers, x):
    kept = set()
    for layer in layers:
        x, found = walk(layer, x)
        kept |= found
    return x, kept


def _walk_unit(unit, x):
    """Follows `ResidualUnit.compute`."""
    shared, kept = _walk_all(unit.before, x)
    branch, found = _walk_all(unit.branch, shared)
    kept |= found
    if unit.kind != "none":
        shortcut = x if unit.kind == "identity" else shared
        shortcut, found = _walk_all(unit.shortcut_layers, shortcut)
        kept |= found
        if unit.gate:
            kept |= _gated(unit, shortcut, branch, shared)
        # The sum's gradient reads nothing, nor does that of a constant scale.
        branch = Tensor(branch.shape)
    y, found = _walk_all(unit.after_add, branch)
    return y, kept | found


def _gated(unit, shortcut, branch, shared):
    gate, kept = _walk_all(unit.gate, shared)
    kept |= {shortcut, Tensor(gate.shape)}  # (1 - g) * h
    if unit.shortcut.gate == "exclusive":
        kept.add(branch)  # g * F
    return kept


def _read(layer, x, y):
    """What the gradient of one layer reads of its input and output."""
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        # The gradient of a sigmoid reads its output.
        linear = layer.activation is keras.activations.linear
        return {x} if linear else {x, y}
    if isinstance(layer, keras.layers.BatchNormalization):
        return {x}
    if isinstance(layer, keras.layers.MaxPooling2D):
        return {x, y}
    if isinstance(layer, keras.layers.Dropout):
        return {Tensor(x.shape)}  # its mask
    reads = getattr(layer, "gradient_reads", ())
    return {{"input": x, "output": y}[name] for name in reads}
