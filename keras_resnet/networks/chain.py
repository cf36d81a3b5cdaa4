"""Operations in a row, as one Keras layer.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so the layer runs on any Keras backend.
"""

import keras

from keras_resnet.networks import inside
from keras_resnet.networks import operations


@operations.serializable
class Chain(inside.Readable, keras.layers.Layer):
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

    def run(self, x, training):
        return self.compute(x, training)

    def compute(self, x, training, apply=operations.apply):
        """As `ResidualUnit.compute`."""
        return apply(self.layers, x, training)

    def compute_output_shape(self, input_shape):
        return operations.output_shape(self.layers, input_shape)

    def paths(self):
        """Its layers, as lists; each list is applied in order."""
        return [self.layers]

    def multiply_adds(self, shape):
        """As `operations.multiply_adds`."""
        return operations.sum_multiply_adds(self.layers, shape)

    def with_ops(self, change):
        """The fields of its config with other operations.

        Args:
            change: function from the names of ops that are applied in order,
                and the op before them or None, to as many other names.
        """
        return {"ops": change(self.config["ops"], None)}

    def get_config(self):
        return {**super().get_config(), **self.config}
