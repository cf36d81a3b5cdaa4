"""The convolutions of ResNet-50 and their gradients, and nothing else."""

import dataclasses

import keras
import tensorflow as tf

import keras_resnet
from keras_resnet.networks import layers
from keras_resnet.networks import operations


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution of a network, on a batch.

    Attributes:
        image: shape that it reads, (B, H, W, C), its padding included.
        kernel: (h, w, C, F).
        strides: int.
        padding: "SAME" or "VALID".
    """

    image: tuple
    kernel: tuple
    strides: int
    padding: str

    @property
    def output(self):
        """Shape of the result, (B, H', W', F)."""
        batch, *size, _ = self.image
        taken = self.kernel[:2] if self.padding == "VALID" else (1, 1)
        size = [
            (pixels - k) // self.strides + 1
            for pixels, k in zip(size, taken, strict=True)
        ]
        return (batch, *size, self.kernel[-1])

    @property
    def multiply_adds(self):
        """Of the forward pass, of one image."""
        total = 1
        for n in (*self.output[1:3], *self.kernel):
            total *= n
        return total


def of_model(model, batch_size):
    """Every convolution of a network, in the order of its layers.

    Args:
        model: from `keras_resnet.build`.
        batch_size: int.

    Returns:
        list of `Convolution`.
    """
    shape, found = (batch_size, *model.input_shape[1:]), []
    for layer in model.layers[1:]:
        found += _of_layer(layer, shape)
        shape = layer.compute_output_shape(shape)
    return found


def _of_layer(layer, shape):
    if isinstance(layer, layers.ResidualUnit):
        shared = operations.output_shape(layer.before, shape)
        branches = (layer.branch, layer.shortcut_layers, layer.gate)
        return [c for branch in branches for c in _of_chain(branch, shared)]
    if isinstance(layer, layers.Chain):
        return _of_chain(layer.layers, shape)
    if not isinstance(layer, keras.layers.Conv2D):
        return []
    (strides,) = set(layer.strides)
    kernel, padding = tuple(layer.kernel.shape), layer.padding.upper()
    return [Convolution(tuple(shape), kernel, strides, padding)]


def _of_chain(chain, shape):
    found = []
    for layer in chain:
        found += _of_layer(layer, shape)
        shape = layer.compute_output_shape(shape)
    return found


def convolutions(image_size, batch_size):
    """Forward and both gradients of each convolution of our ResNet-50.

    Each reads random values of the shapes that it has in the network, which
    convolutions of the same shapes share. One follows the other, forward and
    then backward, as in the network; a convolution's two gradients do not wait
    for each other. The gradient by the pixels is not computed, as in training.
    """

    def build():
        model = keras_resnet.build(
            "resnet50", input_shape=(image_size, image_size, 3)
        )
        step = one_pass(of_model(model, batch_size))

        def steps(count, tick):
            for _ in range(count):
                step()
                tick()

        return steps

    return build


def one_pass(found):
    """A function that computes all of `found` once, for nothing.

    Args:
        found: list of `Convolution`.
    """
    shapes = {shape for c in found for shape in (c.image, c.kernel, c.output)}
    values = {
        shape: tf.Variable(tf.random.normal(shape, stddev=0.1))
        for shape in sorted(shapes)
    }

    @tf.function(jit_compile=False)
    def step():
        before, kept = [], []

        def after(make):
            nonlocal before
            with tf.control_dependencies(before):
                before = make()
            # TensorFlow leaves out what nothing needs: one value of each.
            kept.extend(tf.reshape(array, [-1])[0] for array in before)

        for c in found:
            after(lambda c=c: [forward(c, values)])
        for number, c in reversed(list(enumerate(found))):
            after(lambda c=c, n=number: gradients(c, values, by_image=n > 0))
        return tf.stack(kept)

    return step


def forward(c, values):
    """The convolution. `values` as of `gradients`."""
    image, kernel = values[c.image], values[c.kernel]
    return tf.nn.conv2d(image, kernel, c.strides, c.padding)


def gradients(c, values, *, by_image):
    """The gradients by the kernel and, if `by_image`, by what it reads.

    Args:
        c: `Convolution`.
        values: {shape: values} with those of its image, kernel and output.
        by_image: bool.

    Returns:
        list of one or two arrays.
    """
    image, kernel = values[c.image], values[c.kernel]
    arguments = {
        "out_backprop": values[c.output],
        "strides": [1, c.strides, c.strides, 1],
        "padding": c.padding,
    }
    made = [
        tf.raw_ops.Conv2DBackpropFilter(
            input=image, filter_sizes=c.kernel, **arguments
        )
    ]
    if by_image:
        made.append(
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=c.image, filter=kernel, **arguments
            )
        )
    return made
