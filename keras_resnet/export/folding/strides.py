"""Strides moved to the unit before, where they save a tenth of the work.

A stage that begins with 1x1 convolutions of stride 2, as the papers' bottleneck
stages do, reads one pixel in four of what the stage before it computed. In the
unit before it, nothing mixes pixels after the last convolution larger than 1x1.
So that unit can compute these pixels alone: that convolution strides, the
shortcut takes every other pixel, and the next stage reads every pixel it gets.
The sums are the same. A ResNet-50 then takes 3.48e9 multiply-adds, not 3.86e9.
(The V2 networks of keras.applications are made like this; OpenVINO finds it by
itself.)

The other networks, whose strides are in 3x3 convolutions, stay as they are.
"""

import keras

from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import is_pixelwise


def move(readers):
    """The changes with which a network computes only what is read.

    `readers` are what `graph.find_only_readers` gives: a map that is read
    elsewhere too keeps its size. Returns {unit: {field of its config: value}}.
    """
    changes = {}
    for unit, following in readers.items():
        if _skips_pixels(following) and _can_skip(unit):
            widest = _last_of_many_pixels(unit.block.kernels)
            config = unit.get_config()
            changes[unit] = {
                "strides": following.strides,
                "block": {**config["block"], "strided": widest},
            }
            changes[following] = {"strides": 1}
    return changes


def _skips_pixels(layer):
    """Whether a unit reads its input pixel by pixel and with a stride."""
    # A subclass may do something else.
    if type(layer) is not ResidualUnit or layer.strides == 1:
        return False
    paths = (layer.branch, layer.shortcut_layers, layer.gate)
    return _all_pixelwise(layer.before) and all(
        _all_pixelwise(_up_to_stride(path)) for path in paths
    )


def _up_to_stride(layers):
    """The layers of a path up to the first with a stride, inclusive."""
    found = []
    for layer in layers:
        found.append(layer)
        if getattr(layer, "strides", 1) not in (1, (1, 1)):
            break
    return found


def _can_skip(layer):
    """Whether a unit may stride in its last convolution larger than 1x1."""
    if type(layer) is not ResidualUnit or layer.strides != 1:
        return False
    if layer.dilation != (1, 1):
        return False
    widest = _last_of_many_pixels(layer.block.kernels)
    places = [
        place
        for place, op in enumerate(layer.branch)
        if isinstance(op, keras.layers.Conv2D)
    ]
    behind = layer.branch[places[widest] + 1 :]
    # Around an even kernel, padding is not the same with a stride.
    return layer.block.kernels[widest] % 2 == 1 and all(
        map(
            _all_pixelwise,
            (behind, layer.shortcut_layers, layer.gate, layer.after_add),
        )
    )


def _all_pixelwise(layers):
    return all(map(is_pixelwise, layers))


def _last_of_many_pixels(kernels):
    return max((i for i, size in enumerate(kernels) if size > 1), default=0)
