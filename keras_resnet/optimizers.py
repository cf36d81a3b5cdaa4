"""SGD as the papers ran it, on any Keras backend."""

import re

import keras
from keras import ops

from keras_resnet.errors import lookup

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
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        l2=1e-4,
        decay="all",
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

    def build(self, variables):
        super().build(variables)
        # By index: update_step gets the backend's variables, without a path.
        self._decays = [bool(self._scope.match(v.path)) for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        if self.l2 and self._decays[self._get_variable_index(variable)]:
            gradient = ops.cast(gradient, variable.dtype) + ops.cast(
                self.l2, variable.dtype
            ) * ops.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2, "decay": self.decay}
