"""The convolutions of ResNet-50 and their gradients, and nothing else."""

import dataclasses

import tensorflow as tf

import keras_resnet


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution of a network, on a batch.

    Attributes:
        image: shape that it reads, (B, H, W, C), its padding included.
        kernel: (h, w, C, F).
        output: shape of the result, (B, H', W', F).
        strides: int.
        padding: "SAME" or "VALID".
    """

    image: tuple
    kernel: tuple
    output: tuple
    strides: int
    padding: str


def of_model(model, batch_size):
    """Every convolution of a network, in the order in which it computes them.

    Args:
        model: `keras.Model`.
        batch_size: int.

    Returns:
        list of `Convolution`.
    """
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
        read = {shape: tf.identity(value) for shape, value in values.items()}
        backward, done, kept = [], [], []
        for c in found:
            image, kernel = read[c.image], read[c.kernel]
            with tf.control_dependencies(done):
                done = [tf.nn.conv2d(image, kernel, c.strides, c.padding)]
            kept += done
            # Training computes no gradient by the pixels.
            by = [kernel, image] if backward else [kernel]
            backward.append((done, by, read[c.output]))
        for made, by, gradient in reversed(backward):
            with tf.control_dependencies(done):
                done = tf.gradients(made, by, gradient)
            kept += done
        # TensorFlow leaves out what nothing needs: one value of each.
        return tf.stack([tf.reshape(array, [-1])[0] for array in kept])

    return step
