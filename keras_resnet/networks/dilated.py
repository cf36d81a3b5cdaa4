"""Dilation in place of a stride: what can be the same network with it.

What a network computes for every other pixel, it computes for all of them if
the kernels behind see pixels twice as far apart (the "algorithme à trous").
Then a dilated network has, at every other pixel, the values of the strided one.
"""

import keras

from keras_resnet.errors import require
from keras_resnet.networks import operations

_SIDE = 1024  # pixels of an image whose maps tell the strides


def strides_of(layer):
    """How many times smaller than its input a layer's output is: an int."""
    shape = layer.compute_output_shape((1, _SIDE, _SIDE, layer.input.shape[-1]))
    return _SIDE // shape[1]


def check(unit):
    """Raises `UsageError` unless each operation of a unit can be dilated.

    Convolutions of odd kernels are; what makes a pixel of one pixel is as it
    is. Of others, such as a pooling, nothing is known.
    """
    for layer in operations.leaves(unit.layers):
        odd = isinstance(layer, keras.layers.Conv2D) and all(
            side % 2 for side in layer.kernel_size
        )
        require(
            odd or operations.is_pixelwise(layer),
            "output_stride puts dilations in place of strides, which is known "
            "of convolutions of odd kernels and of what makes a pixel of one "
            f"pixel. Received: {layer.name!r} in {unit.name!r}.",
        )


class Strides:
    """Which units stride and which are dilated, from the stem on.

    Args:
        reached: int, of the stem.
        limit: int, of the last map, or None for the network as it is.
        known: strides at the ends of the stages, which `limit` is one of.

    Raises:
        keras_resnet.UsageError: for another limit.
    """

    def __init__(self, reached, limit, known):
        require(
            limit is None or limit in known and limit is not True,
            "output_stride is the stride of the network's last map: one of "
            f"{', '.join(map(str, known))}. Received: {limit!r}.",
        )
        self._reached, self._limit, self._rate = reached, limit, 1

    def take(self, strides):
        """{"strides", "dilation"} of the next unit, which would stride so."""
        before = self._rate
        if self._limit and self._reached * strides > self._limit:
            self._rate *= strides
            strides = 1
        self._reached *= strides
        return {"strides": strides, "dilation": (before, self._rate)}
