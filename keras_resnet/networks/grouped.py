"""Grouped convolutions."""

import keras

from keras_resnet.networks import execution
from keras_resnet.networks.primitives import serializable


@serializable
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' layer, but one TensorFlow operation at inference.

    Keras compiles a function for it with XLA, since TensorFlow's CPU kernels
    lack the gradient. ONNX cannot express such a function.
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
