"""Our training step on Keras' JAX backend, and matrix products; no TensorFlow.

The environment must say KERAS_BACKEND=jax.
"""

import functools

import jax
import jax.numpy as jnp
from benchmarks import steps

import keras_resnet
from keras_resnet import optimizers
from keras_resnet.networks import outputs
from keras_resnet.training.engines import jax_step


def ours(image_size, batch_size, *, variant, dtype):
    """Our step on JAX, compiled; the state stays on the device."""
    batch = jax.device_put(steps.pixels(image_size, batch_size))
    shape = image_size, image_size, 3

    def build():
        model = keras_resnet.build(variant, input_shape=shape, dtype=dtype)
        step = make_step(model)
        return steps.repeated(lambda: step(*batch), _wait)

    return build


def make_step(model):
    """(uint8 images (B, S, S, 3), int labels (B,)) -> loss, after an update.

    Args:
        model: from `keras_resnet.build`. Its variables' arrays become the
            first state, which the first step takes over.
    """
    network, optimizer = outputs.logits(model), optimizers.SGD()
    optimizer.build(network.trainable_variables)
    state = jax_step.state_of(jax_step.variables(network, optimizer))
    update = jax_step.make_update(network, optimizer)

    @functools.partial(jax.jit, donate_argnums=0)
    def compiled(state, images, labels):
        batch = {"image": images, "label": labels}
        state, _, losses = update(state, batch)
        return state, losses.mean()

    def step(images, labels):
        nonlocal state
        state, loss = compiled(state, images, labels)
        return loss

    return step


def _wait(made):
    made.block_until_ready()


def matrix_product(side):
    """Products of two bfloat16 matrices, side x side, one a step."""
    left, right = (
        jax.random.normal(key, (side, side), jnp.bfloat16)
        for key in jax.random.split(jax.random.key(0))
    )

    def build():
        product = jax.jit(jnp.matmul)
        return steps.repeated(lambda: product(left, right), _wait)

    return build
