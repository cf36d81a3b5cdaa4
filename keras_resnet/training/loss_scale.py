"""Optimizers for networks that compute in float16."""

import functools

import keras
import tensorflow as tf

from keras_resnet import optimizers
from keras_resnet.networks import internals


class LossScaled(internals.SeesSums):
    """Mixin that scales the loss, so that float16 can represent gradients.

    The scale is dynamic. An iteration whose gradients are not finite halves it
    and changes neither weights nor momentum; averages of the weights and Adam's
    iteration count treat it as one that changed nothing. `growth_steps` good
    iterations in a row double the scale. It does not fall below 1: gradients
    that are not finite then are a divergence, and enter the weights, where they
    show.

    The gradients are checked after they were summed over the replicas, so that
    all replicas, in whatever process, decide alike.
    `keras.optimizers.LossScaleOptimizer` checks each replica's own: one
    overflow then makes all weights infinite, or workers wait for ever.

    References: Micikevicius et al. 2018, arXiv 1710.03740, sec. 3.2.

    Args:
        initial_scale: float, a power of two, so that scaling is exact.
        growth_steps: int >= 1.
        **kwargs: of the optimizer.
    """

    def __init__(self, *, initial_scale=2.0**15, growth_steps=2000, **kwargs):
        super().__init__(**kwargs)
        self.initial_scale, self.growth_steps = initial_scale, growth_steps

    def build(self, variables):
        super().build(variables)
        self.loss_scale = self.add_variable(
            (),
            initializer=keras.initializers.Constant(self.initial_scale),
            dtype="float32",
            name="loss_scale",
        )
        self.good_steps = self.add_variable((), dtype="int", name="good_steps")

    def scale_loss(self, loss):
        return loss * tf.cast(self.loss_scale, loss.dtype)

    def apply(self, grads, trainable_variables=None):
        scale = tf.convert_to_tensor(self.loss_scale)
        grads = [
            gradient / tf.cast(scale, gradient.dtype) for gradient in grads
        ]
        super().apply(grads, trainable_variables)

    def apply_sums(self, gradients, update):
        """Updates, unless a gradient is not finite and the scale can fall."""
        finite = tf.reduce_all(
            [tf.reduce_all(tf.math.is_finite(g)) for g in gradients]
        )
        scale = tf.convert_to_tensor(self.loss_scale.value)
        apply = functools.partial(super().apply_sums, gradients, update)
        tf.cond(tf.logical_or(finite, scale <= 1), apply, lambda: None)
        self._adapt(finite, scale)

    def _adapt(self, finite, scale):
        good = tf.convert_to_tensor(self.good_steps.value) + 1
        grow = good >= self.growth_steps
        grown = tf.where(grow, 2 * scale, scale)
        halved = tf.maximum(scale / 2, 1.0)
        none = tf.zeros_like(good)
        self.loss_scale.assign(tf.where(finite, grown, halved))
        self.good_steps.assign(
            tf.where(tf.logical_and(finite, tf.logical_not(grow)), good, none)
        )

    def get_config(self):
        return {
            **super().get_config(),
            "initial_scale": self.initial_scale,
            "growth_steps": self.growth_steps,
        }


@keras.saving.register_keras_serializable(package="keras_resnet")
class LossScaledSGD(LossScaled, optimizers.SGD):
    """`optimizers.SGD` with a scaled loss."""


def scaled(kind):
    """The loss-scaled class of one of our optimizers."""
    if kind is optimizers.SGD:
        return LossScaledSGD
    return type(f"LossScaled{kind.__name__}", (LossScaled, kind), {})
