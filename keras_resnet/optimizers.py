"""SGD as the papers ran it, on any Keras backend."""

import re

import keras
from keras import ops

from keras_resnet.errors import lookup
from keras_resnet.errors import require

# Which variables decay. "all": Caffe's and fb.resnet.torch's default, hence the
# papers'. "kernels": convolutions and the classifier's matrix, later practice.
DECAY_SCOPES = {"all": r".*", "kernels": r".*/kernel$"}


@keras.saving.register_keras_serializable(package="keras_resnet")
class SGD(keras.optimizers.SGD):
    """Momentum SGD with L2 coupled into the momentum buffer.

        g <- dL/dw + l2 * w;  m <- momentum * m - learning_rate * g;  w <- w + m

    That is Caffe's rule and P1's "weight decay". `keras.optimizers.SGD(
    weight_decay=)` subtracts `learning_rate * weight_decay * w` outside the
    buffer, which at momentum 0.9 decays about ten times less.

    Args:
        learning_rate, momentum, nesterov: as `keras.optimizers.SGD`.
        l2: float >= 0, the papers' weight decay.
        decay: key of `DECAY_SCOPES`.
        rate_multipliers: dict from prefixes of variable paths to floats > 0,
            by which the learning rate of these variables is multiplied:
            `{"logits/": 10.0, "stage1_": 0.1}`. The first prefix that matches
            counts; without one it is 1. It is inside the buffer as the rate
            is, and scales the L2 term with it, as Caffe's `lr_mult` does.

    Raises:
        keras_resnet.UsageError: if the decay scope is unknown or a multiplier
            is not above 0.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        l2=1e-4,
        decay="all",
        rate_multipliers=None,
        name="sgd",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            name=name,
            **kwargs,
        )
        self.l2, self.decay = l2, decay
        self._scope = re.compile(lookup(DECAY_SCOPES, decay, "decay scope"))
        self.rate_multipliers = dict(rate_multipliers or {})
        for prefix, value in self.rate_multipliers.items():
            require(
                value > 0,
                "A learning rate multiplier must be > 0; freeze what shall "
                f"not train. Received: {prefix!r}: {value}.",
            )

    def build(self, variables):
        super().build(variables)
        # By index: update_step gets the backend's variables, without a path.
        self._decays = [bool(self._scope.match(v.path)) for v in variables]
        self._multipliers = [self._multiplier(v.path) for v in variables]

    def _multiplier(self, path):
        for prefix, value in self.rate_multipliers.items():
            if path.startswith(prefix):
                return value
        return 1.0

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        if self._multipliers[index] != 1:
            learning_rate = learning_rate * ops.cast(
                self._multipliers[index], learning_rate.dtype
            )
        if self.l2 and self._decays[index]:
            gradient = ops.cast(gradient, variable.dtype) + ops.cast(
                self.l2, variable.dtype
            ) * ops.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {
            **super().get_config(),
            "l2": self.l2,
            "decay": self.decay,
            "rate_multipliers": self.rate_multipliers,
        }
