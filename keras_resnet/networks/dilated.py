"""Dilation in place of a stride, for the operations that allow it.

Without a stride of 2 a network computes all pixels, not every other one. If the
kernels behind read pixels twice as far apart (the "algorithme à trous"), it has
the values of the strided network at every other pixel.
"""

import keras

from keras_resnet.errors import require
from keras_resnet.networks import operations

_SIDE = 1024  # pixels of the image that strides are measured on


def strides_of(layer):
    """How many times smaller than its input a layer's output is: an int."""
    shape = layer.compute_output_shape((1, _SIDE, _SIDE, layer.input.shape[-1]))
    return _SIDE // shape[1]


def check(unit):
    """Raises `UsageError` unless each operation of a unit can be dilated.

    Convolutions with odd kernels can be; pixelwise operations need no change.
    For others, such as pooling, nothing is known.
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
        reached: int, the stem's stride.
        limit: int, the last map's stride, or None for the network as it is.
        known: strides at the ends of the stages; `limit` is one of them.

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
        """{"strides", "dilation"} of the next unit, given its own stride."""
        before = self._rate
        if self._limit and self._reached * strides > self._limit:
            self._rate *= strides
            strides = 1
        self._reached *= strides
        return {"strides": strides, "dilation": (before, self._rate)}
