"""What all our optimizers have in common: decay, parts, clipping."""

import re

from keras import ops

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import internals
from keras_resnet.optimizers.rules import DECAY_SCOPES


class Parts(internals.SeesSums):
    """Mixin for an optimizer: what decays, how fast parts train, clipping.

    Args:
        decay: key of `DECAY_SCOPES`.
        rate_multipliers: dict from prefixes of variable paths to floats > 0,
            by which the learning rate of these variables is multiplied:
            `{"logits/": 10.0, "stage1_": 0.1}`. The first prefix that matches
            counts; without one the factor is 1. It applies wherever the rate
            does, so it scales the decay too, as Caffe's `lr_mult` does.
        clip_norm: float, the largest norm of all gradients together; longer
            ones are scaled down. 0 for no limit. The norm is that of the sum
            over all devices; Keras' `global_clipnorm` takes each device's.
        **kwargs: of the optimizer.

    Raises:
        keras_resnet.UsageError: if the decay scope is unknown or a multiplier
            is not above 0.
    """

    def __init__(
        self, *, decay="all", rate_multipliers=None, clip_norm=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.decay, self.clip_norm = decay, clip_norm
        self._scope = re.compile(lookup(DECAY_SCOPES, decay, "decay scope"))
        self._shrink = None
        self.rate_multipliers = dict(rate_multipliers or {})
        for prefix, value in self.rate_multipliers.items():
            require(
                value > 0,
                "A learning rate multiplier must be > 0; freeze what shall "
                f"not train. Received: {prefix!r}: {value}.",
            )

    def build(self, variables):
        super().build(variables)
        # By index: the backend's variables in update_step have no path.
        self._decays = [bool(self._scope.match(v.path)) for v in variables]
        self._multipliers = [self._multiplier(v.path) for v in variables]

    def _multiplier(self, path):
        for prefix, value in self.rate_multipliers.items():
            if path.startswith(prefix):
                return value
        return 1.0

    def apply_sums(self, gradients, update):
        if self.clip_norm:
            squares = [
                ops.sum(ops.square(ops.cast(gradient, "float32")))
                for gradient in gradients
            ]
            norm = ops.sqrt(ops.sum(ops.stack(squares)))
            self._shrink = self.clip_norm / ops.maximum(norm, self.clip_norm)
        update()
        self._shrink = None  # it belongs to one traced function

    def parts_of(self, gradient, variable, learning_rate):
        """Index of a variable, its clipped gradient, and its own rate."""
        index = internals.variable_index(self, variable)
        if self._multipliers[index] != 1:
            learning_rate = learning_rate * ops.cast(
                self._multipliers[index], learning_rate.dtype
            )
        if self._shrink is not None:
            gradient = gradient * ops.cast(self._shrink, gradient.dtype)
        return index, gradient, learning_rate

    def decays(self, index):
        """Whether the variable of an index decays."""
        return self._decays[index]

    def get_config(self):
        return {
            **super().get_config(),
            "decay": self.decay,
            "rate_multipliers": self.rate_multipliers,
            "clip_norm": self.clip_norm,
        }
