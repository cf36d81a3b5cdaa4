"""What an operation inside a unit gives, by its name: `unit(x, until="conv1")`.

A call of the same layer, so that a functional model which has such calls is
saved, copied and loaded as any other, and shares the weights.
"""

import functools

import keras

from keras_resnet.errors import lookup
from keras_resnet.networks import operations

ADD = "add"  # the sum of a unit, which is no layer

_PADS = (keras.layers.ZeroPadding2D, operations.EdgePadding2D)


class Readable:
    """Mixin of a layer of operations: `layers`, `compute` and `run`."""

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
    """`operations.apply`, which keeps what each operation gives."""
    if path is getattr(layer, "after_add", None):
        found[ADD] = x
    for operation in path:
        x = operations.apply([operation], x, training)
        found[operation.name] = x
    return x
