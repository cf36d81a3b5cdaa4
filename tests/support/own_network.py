"""A squeeze-and-excite operation and ResNet-D, added as a user would."""

import dataclasses

import keras
from keras import ops

from keras_resnet.networks import operations
from keras_resnet.networks import shortcuts
from keras_resnet.networks import specs


@keras.saving.register_keras_serializable(package="own")
class SqueezeExcite(keras.layers.Layer):
    """Weighs channels by what is in the whole image.

    References: Hu et al. 2018, arXiv 1709.01507, fig. 3.
    """

    RATIO = 4

    def build(self, input_shape):
        channels = input_shape[-1]
        dtype = self.dtype_policy
        self.squeeze = keras.layers.Dense(
            channels // self.RATIO, "relu", name="squeeze", dtype=dtype
        )
        self.excite = keras.layers.Dense(
            channels, "sigmoid", name="excite", dtype=dtype
        )
        self.squeeze.build((None, channels))
        self.excite.build((None, channels // self.RATIO))

    def call(self, x):
        means = ops.mean(x, axis=(1, 2))
        weights = self.excite(self.squeeze(means))
        return x * ops.expand_dims(weights, (1, 2))

    def compute_output_shape(self, input_shape):
        return input_shape

    def multiply_adds(self, shape):
        """The multiply-adds of two dense layers."""
        return 2 * shape[-1] * (shape[-1] // self.RATIO)


def pool_and_project(unit):
    """A mean of 2 x 2 pixels before the projection, so that none is skipped.

    References: He et al. 2018, arXiv 1812.01187, fig. 2c.
    """
    common = {"dtype": unit.dtype_policy}
    pool = keras.layers.AveragePooling2D(
        2,
        unit.strides,
        padding="same",
        data_format="channels_last",
        name="shortcut_pool",
        **common,
    )
    conv = operations.conv2d(
        unit.channels, 1, 1, name="shortcut_conv", **common
    )
    return [pool, *conv, *unit.normalise_shortcut()]


operations.register("se", SqueezeExcite)
shortcuts.register("pool_and_project", pool_and_project)

PLACEMENT = specs.Placement(
    between=("bn", "relu"), after=("bn", "se"), after_add=("relu",)
)
SHORTCUT = specs.Shortcut(change="pool_and_project")
# Three convolutions of 3 x 3 pixels in place of one of 7 x 7.
STEM = dataclasses.replace(
    specs.STEMS["imagenet"],
    convolutions=((4, 3, 2), (4, 3, 1), (8, 3, 1)),
    ops=(*("conv", "bn", "relu") * 3, "pool"),
)
