"""The output of an operation inside a unit: `unit(x, until="conv1")`.

It is a call of the same layer, so it shares the weights, and a functional model
with such calls is saved, copied and loaded like any other.
"""

import functools

import keras

from keras_resnet.errors import lookup
from keras_resnet.networks import operations

ADD = "add"  # the sum of a unit, which is not a layer

_PADS = (keras.layers.ZeroPadding2D, operations.EdgePadding2D)


class Readable:
    """Mixin for a layer of operations with `layers`, `compute` and `run`."""

    def call(self, x, training=None, until=None):
        if until is None:
            return self.run(x, training)
        found = {}
        self.compute(x, training, apply=functools.partial(_apply, self, found))
        return lookup(found, until, f"operation of {self.name}")

    def compute_output_spec(self, x, training=None, until=None):
        if until is None:
            return super().compute_output_spec(x, training=training)
        return keras.Operation.compute_output_spec(
            self, x, training=training, until=until
        )


def names(layer):
    """The names of the operations in a layer, in their order."""
    found = [
        operation.name
        for path in layer.paths()
        for operation in path
        if not isinstance(operation, _PADS)
    ]
    if getattr(layer, "kind", "none") != "none":
        found.insert(len(found) - len(layer.after_add), ADD)
    return found


def _apply(layer, found, path, x, training):
    """As `operations.apply`, but keeps the output of each operation."""
    if path is getattr(layer, "after_add", None):
        found[ADD] = x
    for operation in path:
        x = operations.apply([operation], x, training)
        found[operation.name] = x
    return x
