"""SGD as the papers ran it, on any Keras backend."""

import keras
from keras import ops

from keras_resnet.errors import lookup
from keras_resnet.networks import execution
from keras_resnet.networks import internals
from keras_resnet.optimizers.parts import Parts
from keras_resnet.optimizers.rules import MOMENTUM_RULES


@keras.saving.register_keras_serializable(package="keras_resnet")
class SGD(Parts, keras.optimizers.SGD):
    """Momentum SGD with L2 coupled into the momentum buffer.

        g <- dL/dw + l2 * w

        caffe:     m <- momentum * m + rate * g
                   w <- w - m
        nesterov:  w <- w - (momentum * m + rate * g)

        torch:     m <- momentum * m + g
                   w <- w - rate * m
        nesterov:  w <- w - rate * (momentum * m + g)

    The l2 term is P1's "weight decay". `keras.optimizers.SGD(weight_decay=)`
    subtracts `rate * weight_decay * w` outside the buffer, which at momentum
    0.9 decays about ten times less.

    References: Caffe, `sgd_solver.cpp` and `nesterov_solver.cpp`; Torch,
    `optim/sgd.lua` with dampening 0, which PyTorch's SGD took over; P1
    sec. 3.4.

    Args:
        learning_rate, momentum, nesterov: as `keras.optimizers.SGD`.
        rule: key of `MOMENTUM_RULES`.
        l2: float >= 0, the papers' weight decay.
        **kwargs: of `Parts` and others of `keras.optimizers.SGD`.

    Raises:
        keras_resnet.UsageError: if the rule is unknown; as `Parts`.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        rule="caffe",
        l2=1e-4,
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
        lookup(MOMENTUM_RULES, rule, "momentum rule")
        self.rule, self.l2 = rule, l2

    def update_step(self, gradient, variable, learning_rate):
        index, gradient, learning_rate = self.parts_of(
            gradient, variable, learning_rate
        )
        if self.l2 and self.decays(index):
            gradient = ops.cast(gradient, variable.dtype) + ops.cast(
                self.l2, variable.dtype
            ) * ops.convert_to_tensor(variable)
        if self.rule == "torch" and self.momentum:
            self._torch_step(gradient, variable, learning_rate)
        elif self.momentum and execution.has_fused_momentum():
            execution.fused_momentum(
                variable,
                self.momentums[index].value,
                gradient,
                learning_rate,
                self.momentum,
                self.nesterov,
            )
        else:
            # Keras' buffer is -m.
            super().update_step(gradient, variable, learning_rate)

    def _torch_step(self, gradient, variable, learning_rate):
        buffer = self.momentums[internals.variable_index(self, variable)]
        gradient, learning_rate, momentum = (
            ops.cast(value, variable.dtype)
            for value in (gradient, learning_rate, self.momentum)
        )
        self.assign(buffer, momentum * buffer + gradient)
        step = gradient + momentum * buffer if self.nesterov else buffer
        self.assign_sub(variable, learning_rate * step)

    def get_config(self):
        return {**super().get_config(), "rule": self.rule, "l2": self.l2}
