"""Parameters and multiply-adds of the published networks, counted."""

import dataclasses

import keras
import numpy as np

import keras_resnet
from keras_resnet.networks import specs


@dataclasses.dataclass(frozen=True)
class Size:
    """Trainable parameters and multiply-adds of one image."""

    parameters: int
    multiply_adds: int

    def __add__(self, other):
        return Size(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
        )

    def __mul__(self, times):
        return Size(self.parameters * times, self.multiply_adds * times)


def measure(variant):
    """The `Size` of a network, counted on a built model.

    All units of a stage but its first are the same, so two of each are built
    and the second counts for the rest: ResNet-1202 in a second instead of 40.
    """
    keras.utils.clear_session()
    return of_short(build_short(variant), specs.VARIANTS[variant].depths)


def build_short(variant):
    """The network of a variant with two units in each stage."""
    stages = len(specs.VARIANTS[variant].depths)
    return keras_resnet.build(variant, depths=(2,) * stages)


def of_short(model, depths):
    """The `Size` of a network of `depths` units, from `build_short`'s."""
    size = count(model)
    for stage, depth in enumerate(depths, start=1):
        unit = model.get_layer(f"stage{stage}_unit2")
        size += count(keras.Model(unit.input, unit.output)) * (depth - 2)
    return size


def count(model):
    """The `Size` of a model as it is."""
    return Size(
        sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        keras_resnet.multiply_adds(model),
    )


def layers_of_short(model, depths):
    """Layers of a network of `depths` units, in the order of computation.

    The second unit of a stage of `build_short`'s network is repeated.
    """
    repeated = {
        f"stage{stage}_unit2": depth - 1
        for stage, depth in enumerate(depths, start=1)
    }
    return [
        layer
        for layer in model.layers
        for _ in range(repeated.get(layer.name, 1))
    ]
