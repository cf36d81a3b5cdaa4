"""Our training step on Keras' JAX backend, and matrix products; no TensorFlow.

The environment must say KERAS_BACKEND=jax.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import keras_resnet
from keras_resnet import optimizers
from keras_resnet.networks import outputs
from keras_resnet.training.engines.jax_step import make_update
from keras_resnet.training.engines.jax_step import state_of
from keras_resnet.training.engines.jax_step import variables

CLASSES = 1000


def ours(image_size, batch_size, *, variant, dtype):
    """One compiled step; the state stays on the device.

    Args:
        image_size, batch_size: ints.
        variant: key of `keras_resnet.VARIANTS`.
        dtype: dtype policy.
    """
    rng = np.random.default_rng(0)
    shape = (batch_size, image_size, image_size, 3)
    images = jnp.asarray(rng.integers(0, 256, shape, np.uint8))
    labels = jnp.asarray(rng.integers(0, CLASSES, batch_size, np.int32))

    def build():
        state, step = make_step(
            keras_resnet.build(variant, input_shape=shape[1:], dtype=dtype)
        )

        def steps(count, tick):
            nonlocal state
            for number in range(count):
                state, loss = step(state, images, labels)
                # The device may run ahead of us but for what is timed.
                if number in (0, count - 1):
                    loss.block_until_ready()
                tick()

        return steps

    return build


def make_step(model):
    """A step of SGD as a function of a state.

    Args:
        model: from `keras_resnet.build`. Its variables' arrays become the
            first state, which the first step takes over.

    Returns:
        the state and a function (state, uint8 images (B, S, S, 3), int labels
        (B,)) -> (state, loss).
    """
    network, optimizer = outputs.logits(model), optimizers.SGD()
    state = first_state(network, optimizer)
    update = make_update(network, optimizer)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, images, labels):
        batch = {"image": images, "label": labels}
        state, _, losses = update(state, batch)
        return state, losses.mean()

    return state, step


def first_state(network, optimizer):
    """The arrays that `make_update` takes, after building the optimizer."""
    optimizer.build(network.trainable_variables)
    return state_of(variables(network, optimizer))


def matrix_product(side):
    """Products of two bfloat16 matrices, side x side, one a step."""
    keys = jax.random.split(jax.random.key(0))
    left, right = (
        jax.random.normal(key, (side, side), jnp.bfloat16) for key in keys
    )

    def build():
        product = jax.jit(jnp.matmul)

        def steps(count, tick):
            for number in range(count):
                made = product(left, right)
                if number in (0, count - 1):
                    made.block_until_ready()
                tick()

        return steps

    return build


def multiply_adds(variant, image_size):
    """A contender that is only built: those of one image of our network."""

    def build():
        shape = (image_size, image_size, 3)
        model = keras_resnet.build(variant, input_shape=shape)
        return keras_resnet.multiply_adds(model)

    return build
