"""The interface between the loop and the two engines that compute.

No TensorFlow here: a run on JAX imports this module too.
"""

import contextlib

import keras

from keras_resnet.errors import require
from keras_resnet.training.workers import Workers


def make(strategy=None):
    """The engine of the backend that Keras runs on.

    Args:
        strategy: `tf.distribute.Strategy`. Default: one device.

    Returns:
        `Engine`.

    Raises:
        keras_resnet.UsageError: if there is no engine for this backend, or JAX
            got a strategy.
    """
    if keras.config.backend() == "jax":
        from keras_resnet.training.engines.on_jax import JaxEngine

        require(
            strategy is None,
            "Training on JAX uses one device. Received: "
            f"strategy={strategy!r}.",
        )
        return JaxEngine()
    from keras_resnet.training.engines.on_tensorflow import TensorFlowEngine

    return TensorFlowEngine(strategy)


class Engine:
    """The network, the data and the devices of a run.

    The loop calls `check`, `load_splits`, `build`, `restore` and `begin` once,
    in this order; then the others. Where there are several workers, each
    calls the same methods in the same order.

    The methods that have a body here are right for one device.

    Attributes:
        name: of the engine in `recipes.engines`.
        workers: `workers.Workers`.
        model: `keras.Model`, after `build`.
        variables: all that training changes. It has `bytes`, an int;
            `save(folder)` and `load(folder)`; and `not_finite()`, the path of
            a variable that is not finite, or None.
    """

    name = ""

    def __init__(self):
        self.workers = Workers()
        self.model = self.variables = None

    def check(self, recipe):
        """Refuses a recipe that cannot work on these devices.

        Raises:
            keras_resnet.UsageError: says what.
        """
        raise NotImplementedError

    def load_splits(self, recipe, data_dir):
        """{"train", "validation"}: the data of a recipe."""
        raise NotImplementedError

    def build(self, recipe, splits, *, loss=None, optimizer=None):
        """Makes the network, its optimizer and its steps.

        Args:
            recipe, splits, loss, optimizer: as for `run.train_and_evaluate`.
        """
        raise NotImplementedError

    def describe(self):
        """{"strategy", "versions"} for config.json."""
        raise NotImplementedError

    def environment(self):
        """What the bits of a result depend on beside the recipe: a dict."""
        raise NotImplementedError

    def tensorboard(self, folder):
        """A writer of scalars for TensorBoard, or None."""
        del folder
        return None

    def state(self):
        """JSON values of this engine that a checkpoint keeps."""
        return {}

    def restore(self, state, statistics):
        """Restores `state`, after `variables.load`.

        Args:
            state: dict of the whole checkpoint; None where a run begins.
            statistics: what `gather_statistics` gave.
        """
        raise NotImplementedError

    def begin(self, step):
        """Prepares the iterations from `step` on."""
        raise NotImplementedError

    def steps_at_once(self, step):
        """How many iterations `train` should take from `step` on."""
        del step
        return 1

    def train(self, step, rates):
        """Takes iterations `step`, `step + 1`, ..., one for each rate.

        Args:
            step: int, counted from 0.
            rates: list of floats, the learning rates.

        Returns:
            float32 (T, 4) or (4,), the `metrics.SUMS` of each. They may still
            be on their way from the device.
        """
        raise NotImplementedError

    def evaluate(self, stop):
        """`Metrics` of the validation split; None if it was cut off.

        Args:
            stop: () -> whether to stop early.
        """
        raise NotImplementedError

    def recalibrate(self, step):
        """Precise BN on the batches from `step` on, see `precise_bn`."""
        raise NotImplementedError

    def with_ema_weights(self):
        """Context in which the model has the moving average of its weights."""
        return contextlib.nullcontext()

    def sync_batch_norm(self):
        """Replaces BN's statistics by their means over the replicas."""

    def gather_statistics(self):
        """BN's statistics of each replica, float32 (replicas, N), or None."""
        return None

    def list_masked(self, workdir):
        """Writes a list of the images that could not be read, if any."""
