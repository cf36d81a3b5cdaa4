"""An iteration of SGD on JAX as a function of a state. No TensorFlow.

B images of a batch, K classes.
"""

import jax
import jax.numpy as jnp
import keras

from keras_resnet.evaluation import multi_label
from keras_resnet.networks import stochastic_depth
from keras_resnet.training import losses as losses_lib


def variables(network, optimizer):
    """What a step changes: three lists of `keras.Variable`.

    Args:
        network: `keras.Model`.
        optimizer: `keras.optimizers.Optimizer`, built for it.
    """
    return (
        network.trainable_variables,
        network.non_trainable_variables,
        optimizer.variables,
    )


def state_of(groups):
    """The arrays of `variables`, which a step consumes and returns updated."""
    return tuple([variable.value for variable in group] for group in groups)


def put_back(groups, state):
    """Assigns the arrays that a step returned to `variables`."""
    for group, values in zip(groups, state, strict=True):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)


def make_update(network, optimizer, loss=None):
    """An iteration of SGD, to be traced as a part of a function.

    Args:
        network: `keras.Model` from images to logits.
        optimizer: `keras.optimizers.Optimizer`, built for it.
        loss: (logits, batch) -> (B,). Default: cross-entropy.

    Returns:
        Function (state, batch, rate) -> (state, float32 logits (B, K), float32
        losses (B,)), logits and losses from before the update. A batch is a
        dict of "image", uint8 (B, S, S, 3), "label", int32 (B,), and what else
        the loss needs. The rate is a float32 scalar, or None for the
        optimizer's own, which is in the state.
    """
    loss = loss or losses_lib.cross_entropy()
    names = [v.path for v in optimizer.variables]
    place = names.index(f"{optimizer.name}/learning_rate")

    def loss_of(trainable, others, batch):
        with stochastic_depth.seeded(batch):
            logits, others = network.stateless_call(
                trainable, others, batch["image"], training=True
            )
        losses = loss(logits, batch)
        return losses.mean(), (others, logits, losses)

    gradients_of = jax.grad(loss_of, has_aux=True)

    def update(state, batch, rate=None):
        trainable, others, slots = state
        if rate is not None:
            slots = [*slots[:place], rate, *slots[place + 1 :]]
        gradients, (others, logits, losses) = gradients_of(
            trainable, others, batch
        )
        trainable, slots = optimizer.stateless_apply(
            slots, gradients, trainable
        )
        return (trainable, others, slots), logits, losses

    return update


def seeds(recipe, step):
    """uint32 (B, 2): the seed, and each example's number in the whole run."""
    size = recipe.batch_size
    numbers = step * size + jnp.arange(size, dtype=jnp.uint32)
    return jnp.stack([jnp.full(size, recipe.seed, jnp.uint32), numbers], 1)


def batch_sums(logits, labels, weights=None):
    """As `evaluation.metrics.batch_sums`: loss, top-1, top-5, examples.

    Args:
        logits: float32 (B, K).
        labels: int32 (B,); or (B, K), then as `multi_label.batch_sums`.
        weights: float32 (B,), 0 for padding. Default: 1.

    Returns:
        float32 (4,).
    """
    if labels.ndim == 2:
        weights = jnp.ones(len(labels)) if weights is None else weights
        return multi_label.batch_sums(logits, labels, weights)
    losses = keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)
    # Ties count against the prediction; NaN is never right.
    better = jnp.sum(~(logits < own), axis=1)
    ones = jnp.ones_like(losses)
    columns = jnp.stack([losses, better <= 1, better <= 5, ones])
    # Not a matrix product, in which a GPU would round the losses.
    return (columns * (ones if weights is None else weights)).sum(axis=1)
