"""The convolutions of a network and their gradients, and nothing else."""

import typing

import tensorflow as tf
from benchmarks import steps

import keras_resnet


class Convolution(typing.NamedTuple):
    """One convolution of a network, on a batch."""

    image: tuple  # shape that it reads, (B, H, W, C), its padding included
    kernel: tuple  # (h, w, C, F)
    output: tuple  # (B, H', W', F)
    strides: int
    padding: str  # "SAME" or "VALID"


def of_model(model, batch_size):
    """Every `Convolution` of a network, in the order of computation."""
    images = tf.TensorSpec((batch_size, *model.input_shape[1:]))
    graph = tf.function(model).get_concrete_function(images).graph
    return [
        Convolution(
            *(tuple(t.shape) for t in (*operation.inputs, *operation.outputs)),
            strides=operation.get_attr("strides")[1],
            padding=operation.get_attr("padding").decode(),
        )
        for operation in graph.get_operations()
        if operation.type == "Conv2D"
    ]


def convolutions(
    image_size, batch_size, *, variant="resnet50", dtype="float32"
):
    """A contender: each convolution of our network and both its gradients.

    Each reads random values of its shapes in the network; convolutions of the
    same shapes share them. They run one after the other, forward and then
    backward, as in the network. Only a convolution's two gradients do not wait
    for each other.

    Args:
        image_size, batch_size: ints.
        variant: key of `keras_resnet.VARIANTS`.
        dtype: of inputs and results, "float32" or "bfloat16".
    """

    def build():
        shape = (image_size, image_size, 3)
        model = keras_resnet.build(variant, input_shape=shape)
        return steps.repeated(one_pass(of_model(model, batch_size), dtype))

    return build


def one_pass(found, dtype="float32"):
    """A `tf.function` that computes all of a list of `Convolution` once."""
    shapes = {shape for c in found for shape in (c.image, c.kernel, c.output)}
    values = {
        shape: tf.Variable(tf.random.normal(shape, stddev=0.1, dtype=dtype))
        for shape in sorted(shapes)
    }

    @tf.function(jit_compile=False)
    def step():
        read = {shape: tf.identity(value) for shape, value in values.items()}
        backward, done, kept = [], [], []
        for c in found:
            image, kernel = read[c.image], read[c.kernel]
            with tf.control_dependencies(done):
                done = [tf.nn.conv2d(image, kernel, c.strides, c.padding)]
            kept += done
            # Training computes no gradient with respect to the pixels.
            by = [kernel, image] if backward else [kernel]
            backward.append((done, by, read[c.output]))
        for made, by, gradient in reversed(backward):
            with tf.control_dependencies(done):
                done = tf.gradients(made, by, gradient)
            kept += done
        # TensorFlow drops results that nothing needs: take a value of each.
        return tf.stack([tf.reshape(array, [-1])[0] for array in kept])

    return step
