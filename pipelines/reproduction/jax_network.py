"""What is compiled: many iterations as one function, and an evaluation.

Data, weights and momentum stay on the device; a call takes and gives the
state, and returns sums that the host reads when it needs them. B images of a
batch, S x S pixels, N examples, K classes, T iterations.
"""

import time

import jax
import jax.numpy as jnp
import keras
import numpy as np
from benchmarks import jax_steps
from reproduction import jax_batches

from keras_resnet import optimizers
from keras_resnet.networks import outputs


class Network:
    """A network, its optimizer and its state on the device.

    Args:
        model: from `keras_resnet.build`; it is out of date until `put_back`.
        recipe: `recipes.Recipe`.
        images: uint8 (N, S, S, 3) of the training split.
        labels: int32 (N,).

    Attributes:
        state: arrays of `jax_steps.variables`.
        compile_seconds: that `compile` took, in this process.
    """

    def __init__(self, model, recipe, images, labels):
        self.model, self.recipe = model, recipe
        self._network = outputs.logits(model)
        self._optimizer = make_optimizer(recipe)
        # The model's own: padding is zero after the mean is subtracted.
        self._fill = model.get_layer("pixels").mean_color
        self._data = jax.device_put((images, labels))
        self.state = jax_steps.first_state(self._network, self._optimizer)
        self._update = jax_steps.make_update(self._network, self._optimizer)
        self._train = jax.jit(self._iterations, donate_argnums=0)
        self._evaluate = jax.jit(self._sums)
        self._compiled, self.compile_seconds = {}, 0.0

    @property
    def paths(self):
        """Of the variables of the state: lists of str."""
        groups = jax_steps.variables(self._network, self._optimizer)
        return [[variable.path for variable in group] for group in groups]

    def put_back(self):
        """Gives the model's variables the values of the state."""
        groups = jax_steps.variables(self._network, self._optimizer)
        for group, values in zip(groups, self.state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def compile(self, plan):
        """The function of as many iterations as a plan has, compiled once."""
        count = len(plan.indices)
        if count not in self._compiled:
            rates = np.zeros(count, np.float32)
            arguments = (self.state, self._data, plan, rates)
            start = time.perf_counter()
            self._compiled[count] = self._train.lower(*arguments).compile()
            self.compile_seconds += time.perf_counter() - start
        return self._compiled[count]

    def train(self, plan, rates):
        """Starts iterations on the device, and does not wait for them.

        Args:
            plan: `jax_batches.Plan` of T iterations.
            rates: float32 (T,), their learning rates.

        Returns:
            float32 (T, 4), the sums of `batch_sums`, when they are there.
        """
        run = self.compile(plan)
        self.state, sums = run(self.state, self._data, plan, rates)
        return sums

    def _iterations(self, state, data, plan, rates):
        images, labels = data

        def iteration(state, row_and_rate):
            row, rate = row_and_rate
            pixels = jax_batches.batch(images, row, self.recipe, self._fill)
            mine = labels[row.indices]
            state, logits, losses = self._update(state, pixels, mine, rate)
            return state, batch_sums(logits, mine, losses)

        return jax.lax.scan(iteration, state, (plan, rates))

    def evaluate(self, images, labels):
        """float64 (4,), the sums of all examples, with moving BN statistics.

        Args:
            images: uint8 (N, S, S, 3), best on the device.
            labels: int32 (N,).
        """
        trainable, others, _ = self.state
        sums = self._evaluate(trainable, others, images, labels)
        return np.asarray(sums, np.float64).sum(axis=0)

    def _sums(self, trainable, others, images, labels):
        size = self.recipe.batch_size
        places = np.arange(-(-len(labels) // size) * size).reshape(-1, size)

        def of_batch(_, row):
            mine = jnp.minimum(row, len(labels) - 1)
            logits, _ = self._network.stateless_call(
                trainable, others, images[mine], training=False
            )
            losses = keras.losses.sparse_categorical_crossentropy(
                labels[mine], logits, from_logits=True
            )
            weights = (row < len(labels)).astype(jnp.float32)
            return None, batch_sums(logits, labels[mine], losses, weights)

        return jax.lax.scan(of_batch, None, places)[1]


def make_optimizer(recipe):
    """The recipe's SGD; that of `training.start` for what is supported."""
    return optimizers.SGD(
        learning_rate=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        rule=recipe.momentum_rule,
        l2=recipe.weight_decay,
        decay=recipe.decay,
    )


def batch_sums(logits, labels, losses, weights=None):
    """As `evaluation.metrics.batch_sums`: loss, top-1, top-5, examples.

    Args:
        logits: float32 (B, K).
        labels: int32 (B,).
        losses: float32 (B,).
        weights: float32 (B,), 0 for padding. Default: 1.

    Returns:
        float32 (4,).
    """
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)
    # Ties count against the prediction, and NaN never as right.
    better = jnp.sum(~(logits < own), axis=1)
    ones = jnp.ones_like(losses)
    columns = jnp.stack([losses, better <= 1, better <= 5, ones])
    # Not a matrix product, for which a GPU would round the losses.
    return (columns * (ones if weights is None else weights)).sum(axis=1)
