"""Convolutions of groups of channels."""

import keras

from keras_resnet.networks import execution
from keras_resnet.networks.primitives import serializable


@serializable
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' own, but at inference one operation of TensorFlow.

    Keras has XLA compile a function for it, since TensorFlow's own kernels for
    CPUs lack the gradient. ONNX has no form of such a function.
    """

    def call(self, inputs, training=None):
        plain = (
            not self.use_bias and self.activation is keras.activations.linear
        )
        if training or not plain or not execution.has_grouped_convolution():
            return super().call(inputs)
        return execution.grouped_convolution(
            inputs, self.kernel, self.strides, self.padding, self.dilation_rate
        )
