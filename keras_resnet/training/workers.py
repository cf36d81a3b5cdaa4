"""What the workers of a run tell each other, besides sums and gradients."""

import contextlib
import re

import tensorflow as tf

from keras_resnet.errors import UsageError

# What a collective raises once one of its workers is gone.
_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_ABORTED = "Collective ops is aborted"


class WorkerLost(Exception):
    """Another worker died, hangs or cannot be reached: none can go on."""


class Workers:
    """All workers of a strategy; one alone where it is on one machine.

    Every worker must call the same methods in the same order.

    Args:
        strategy: `tf.distribute.Strategy`.

    Attributes:
        index: of this worker; 0 is the chief, who alone writes shared files.
        count: how many there are.
    """

    def __init__(self, strategy):
        resolver = strategy.cluster_resolver
        self.index, self.count = 0, 1
        if resolver is not None:
            self.index = resolver.task_id
            self.count = len(resolver.cluster_spec().as_dict()["worker"])
        local = strategy.num_replicas_in_sync // self.count

        @tf.function(autograph=False)
        def total(row):
            rows = strategy.run(tf.identity, args=(row,))
            return strategy.reduce("SUM", rows, axis=None) // local

        self._total = total

    @property
    def is_chief(self):
        """Whether this worker writes what all share."""
        return self.index == 0

    def gather(self, number):
        """The integer that each worker gave: a list, in their order."""
        if self.count == 1:
            return [int(number)]
        row = [0] * self.count
        row[self.index] = int(number)
        return self._total(tf.constant(row, tf.int64)).numpy().tolist()

    def highest(self, number):
        """The highest of all; None, from one that has none, is 0."""
        return max(self.gather(number or 0))

    def wait(self):
        """Returns once all of them have come here."""
        self.gather(0)

    def together(self, call):
        """What `call()` returns, if it works for all of them.

        Raises:
            keras_resnet.UsageError: on all, if it does so on any.
        """
        result, error = None, None
        try:
            result = call()
        except UsageError as caught:
            error = caught
        failed = self.gather(error is not None)
        if error is not None:
            raise error
        if any(failed):
            raise UsageError(
                f"Worker {failed.index(1)} cannot work; its message says why."
            )
        return result

    @contextlib.contextmanager
    def noticing_loss(self):
        """Turns TensorFlow's errors into `WorkerLost` if a worker is gone."""
        try:
            yield
        except tf.errors.OpError as error:
            if self.count > 1 and is_loss(error):
                raise WorkerLost(self._blame(error.message)) from error
            raise

    def _blame(self, message):
        named = {int(i) for i in re.findall(r"/task:(\d+)", message)}
        others = [str(index) for index in sorted(named - {self.index})]
        who = f"Worker {', '.join(others)}" if others else "Another worker"
        return f"{who} died, hangs or cannot be reached."


def is_loss(error):
    """Whether an error of TensorFlow says that a worker is gone."""
    return isinstance(error, _GONE) or _ABORTED in error.message
