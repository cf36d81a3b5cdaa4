"""AdamW, LAMB and Muon, on any Keras backend.

Keras has classes of the same names. They clip each device's gradients before
the sum, decay all parts at the base rate, leave LAMB's decay outside its ratio,
and give no convolution to Muon. Where none of that matters both take the same
steps; the tests check it.
"""

import math

import keras
from keras import ops

from keras_resnet.optimizers.parts import Parts


class _Adaptive(Parts, keras.optimizers.Optimizer):
    """Means of the gradients and of their squares (Kingma and Ba 2014).

    Args:
        learning_rate: float > 0.
        momentum: float, beta 1 of Adam.
        beta_2: float, beta 2 of Adam, for the squares.
        epsilon: float > 0, added to the root of the mean square.
        weight_decay_rate: float >= 0.
        **kwargs: of `Parts` and `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        momentum=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay_rate=0.0,
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum, self.beta_2, self.epsilon = momentum, beta_2, epsilon
        self.weight_decay_rate = weight_decay_rate

    def build(self, variables):
        super().build(variables)
        self.momentums, self.velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )

    def update_step(self, gradient, variable, learning_rate):
        index, gradient, rate = self.parts_of(gradient, variable, learning_rate)
        rate = ops.cast(rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        decay = self.weight_decay_rate if self.decays(index) else 0.0
        self.step(gradient, variable, index, rate, decay)

    def step(self, gradient, variable, index, rate, decay):
        """Changes one variable.

        Args:
            gradient: like the variable.
            variable: the backend's variable.
            index: int, of its momentum.
            rate: scalar of its dtype.
            decay: float, 0 if the variable does not decay.
        """
        raise NotImplementedError

    def shrink(self, variable, rate, decay):
        """Applies weight decay, decoupled from the gradient's step."""
        if decay:
            self.assign_sub(variable, rate * decay * variable)

    def adam(self, gradient, index):
        """The step of Adam for a rate of 1."""
        mean, square = self.momentums[index], self.velocities[index]
        self.assign_add(mean, (1 - self.momentum) * (gradient - mean))
        self.assign_add(
            square, (1 - self.beta_2) * (ops.square(gradient) - square)
        )
        mean = mean / self._weight(self.momentum, gradient.dtype)
        square = square / self._weight(self.beta_2, gradient.dtype)
        return mean / (ops.sqrt(square) + self.epsilon)

    def _weight(self, beta, dtype):
        """1 - beta ** t, the weight of all t iterations in a mean."""
        if not beta:
            return 1.0
        count = ops.cast(self.iterations + 1, dtype)
        # Computing 1 - beta ** t directly would lose digits in float32.
        return -ops.expm1(math.log(beta) * count)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "weight_decay_rate": self.weight_decay_rate,
        }


@keras.saving.register_keras_serializable(package="keras_resnet")
class AdamW(_Adaptive):
    """Adam with decoupled weight decay.

        w <- w - rate * decay * w - rate * m / (sqrt(v) + epsilon)

    with m and v the means, each divided by its weight. References: Loshchilov
    and Hutter 2019, arXiv 1711.05101; equal to `torch.optim.AdamW`.
    """

    def __init__(self, *args, name="adamw", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    def step(self, gradient, variable, index, rate, decay):
        self.shrink(variable, rate, decay)
        self.assign_sub(variable, rate * self.adam(gradient, index))


@keras.saving.register_keras_serializable(package="keras_resnet")
class Lamb(_Adaptive):
    """Adam's step, scaled to the norm of the weights times the rate.

        u = m / (sqrt(v) + epsilon) + decay * w
        w <- w - rate * |w| / |u| * u

    variable by variable; the ratio is 1 where a norm is 0, and for variables
    that do not decay. References: You et al. 2020, arXiv 1904.00962; equal to
    timm's `Lamb`, which clips to a norm of 1 by default.
    """

    def __init__(self, *args, name="lamb", epsilon=1e-6, **kwargs):
        super().__init__(*args, name=name, epsilon=epsilon, **kwargs)

    def step(self, gradient, variable, index, rate, decay):
        update = self.adam(gradient, index)
        if decay:
            weights = ops.convert_to_tensor(variable)
            update = update + decay * weights
            update = update * _ratio(_norm(weights), _norm(update))
        self.assign_sub(variable, rate * update)


def _norm(values):
    return ops.sqrt(ops.sum(ops.square(values)))


def _ratio(one, other):
    both = ops.logical_and(one > 0, other > 0)
    return ops.where(both, one / ops.where(both, other, 1), 1)


@keras.saving.register_keras_serializable(package="keras_resnet")
class Muon(_Adaptive):
    """The momentum of each convolution, made orthogonal; AdamW for the rest.

    A kernel (height, width, C, F) is a matrix of height * width * C rows and F
    columns. The factor 0.2 * sqrt(the longer side) gives its step the size of
    AdamW's, so that one rate and one decay serve both. The momentum is
    Nesterov's.

    References: Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et
    al. 2025, arXiv 2502.16982 (the size); for a matrix, equal to Keras' `Muon`.
    """

    def __init__(self, *args, name="muon", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    def step(self, gradient, variable, index, rate, decay):
        self.shrink(variable, rate, decay)
        if len(variable.shape) != 4:
            self.assign_sub(variable, rate * self.adam(gradient, index))
            return
        buffer = self.momentums[index]
        self.assign(buffer, self.momentum * buffer + gradient)
        step = gradient + self.momentum * buffer
        matrix = orthogonal(ops.reshape(step, (-1, variable.shape[-1])))
        size = 0.2 * math.sqrt(max(matrix.shape))
        step = ops.reshape(matrix, variable.shape)
        self.assign_sub(variable, rate * size * step)


def orthogonal(matrix, iterations=5):
    """A matrix whose singular values are brought near to 1.

    By Newton and Schulz, with the coefficients of Jordan et al., which leave
    the values between about 0.7 and 1.2.

    Args:
        matrix: float (N, M).
        iterations: int.

    Returns:
        float (N, M).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (_norm(x) + 1e-7)
    for _ in range(iterations):
        gram = x @ ops.transpose(x)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return ops.transpose(x) if tall else x
