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

    All units of a stage are the same, except its first and one that strides
    last. So the second counts for the rest: ResNet-1202 in a second, not 40.
    """
    keras.utils.clear_session()
    return of_short(build_short(variant), specs.VARIANTS[variant].depths)


def build_short(variant):
    """The network of a variant with two units in each stage, or three."""
    row = specs.VARIANTS[variant]
    units = 2 if row.strided_unit == 0 else 3
    return keras_resnet.build(variant, depths=(units,) * len(row.depths))


def of_short(model, depths):
    """The `Size` of a network of `depths` units, from `build_short`'s."""
    size = count(model)
    for name, more in _more(model, depths).items():
        unit = model.get_layer(name)
        size += count(keras.Model(unit.input, unit.output)) * more
    return size


def _more(model, depths):
    """{second unit of a stage: how many more of it `depths` has}."""
    names = [layer.name for layer in model.layers]
    stages = {f"stage{i}_unit": depth for i, depth in enumerate(depths, 1)}
    return {
        f"{stage}2": depth - sum(name.startswith(stage) for name in names)
        for stage, depth in stages.items()
    }


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
    more = _more(model, depths)
    return [
        layer
        for layer in model.layers
        for _ in range(1 + more.get(layer.name, 0))
    ]
