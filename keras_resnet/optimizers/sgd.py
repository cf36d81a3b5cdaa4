"""SGD as the papers ran it, on any Keras backend."""

import re

import keras
from keras import ops

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import execution
from keras_resnet.networks import internals
from keras_resnet.optimizers.rules import DECAY_SCOPES
from keras_resnet.optimizers.rules import MOMENTUM_RULES


@keras.saving.register_keras_serializable(package="keras_resnet")
class SGD(keras.optimizers.SGD):
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
        decay: key of `DECAY_SCOPES`.
        rate_multipliers: dict from prefixes of variable paths to floats > 0,
            by which the learning rate of these variables is multiplied:
            `{"logits/": 10.0, "stage1_": 0.1}`. The first prefix that matches
            counts; without one it is 1. It stands wherever the rate does, and
            scales the L2 term with it, as Caffe's `lr_mult` does.
        **kwargs: others of `keras.optimizers.SGD`.

    Raises:
        keras_resnet.UsageError: if the rule or the decay scope is unknown or a
            multiplier is not above 0.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        rule="caffe",
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
        lookup(MOMENTUM_RULES, rule, "momentum rule")
        self.rule, self.l2, self.decay = rule, l2, decay
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
        index = internals.variable_index(self, variable)
        if self._multipliers[index] != 1:
            learning_rate = learning_rate * ops.cast(
                self._multipliers[index], learning_rate.dtype
            )
        if self.l2 and self._decays[index]:
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
        return {
            **super().get_config(),
            "rule": self.rule,
            "l2": self.l2,
            "decay": self.decay,
            "rate_multipliers": self.rate_multipliers,
        }
