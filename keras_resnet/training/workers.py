"""What the workers of a run tell each other, besides sums and gradients."""

import contextlib
import re

from keras_resnet.errors import UsageError

# TensorFlow's errors of a collective when one of its workers is gone.
_GONE = (
    "UnavailableError",
    "AbortedError",
    "CancelledError",
    "DeadlineExceededError",
)
_ABORTED = "Collective ops is aborted"


class WorkerLost(Exception):
    """Another worker died, hangs or cannot be reached: none can go on."""


class Workers:
    """All workers of a strategy; only one if it is on one machine.

    Every worker must call the same methods in the same order. TensorFlow is
    imported only if there are several.

    Args:
        strategy: `tf.distribute.Strategy`. Default: one worker.

    Attributes:
        index: of this worker; 0 is the chief, who alone writes shared files.
        count: how many there are.
    """

    def __init__(self, strategy=None):
        resolver = strategy and strategy.cluster_resolver
        self.index, self.count = 0, 1
        if resolver is not None:
            self.index = resolver.task_id
            self.count = len(resolver.cluster_spec().as_dict()["worker"])
        if self.count > 1:
            self._total = _make_total(strategy, self.count)

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
        return self._total(row).numpy().tolist()

    def highest(self, number):
        """The highest number of all workers; None counts as 0."""
        return max(self.gather(number or 0))

    def wait(self):
        """Returns once all workers have called it."""
        self.gather(0)

    def together(self, call):
        """What `call()` returns, if it works on all workers.

        Raises:
            keras_resnet.UsageError: on all workers, if `call` raises it on any.
        """
        error, result = None, None
        try:
            result = call()
        except UsageError as caught:
            error = caught
        failed = self.gather(error is not None)
        if error is None and any(failed):
            error = UsageError(
                f"Worker {failed.index(1)} cannot work; its message says why."
            )
        if error is not None:
            raise error
        return result

    @contextlib.contextmanager
    def noticing_loss(self):
        """Turns TensorFlow's errors into `WorkerLost` if a worker is gone."""
        try:
            yield
        except Exception as error:
            if self.count > 1 and is_loss(error):
                raise WorkerLost(self._blame(error.message)) from error
            raise

    def _blame(self, message):
        named = {int(i) for i in re.findall(r"/task:(\d+)", message)}
        others = [str(index) for index in sorted(named - {self.index})]
        who = f"Worker {', '.join(others)}" if others else "Another worker"
        return f"{who} died, hangs or cannot be reached."


def _make_total(strategy, count):
    """A function from a list of ints to its sums over all workers."""
    import tensorflow as tf

    local = strategy.num_replicas_in_sync // count

    @tf.function(autograph=False)
    def total(row):
        rows = strategy.run(tf.identity, args=(row,))
        return strategy.reduce("SUM", rows, axis=None) // local

    return lambda row: total(tf.constant(row, tf.int64))


def is_loss(error):
    """Whether an error is TensorFlow's and says that a worker is gone."""
    import tensorflow as tf

    if not isinstance(error, tf.errors.OpError):
        return False
    kinds = tuple(getattr(tf.errors, name) for name in _GONE)
    return isinstance(error, kinds) or _ABORTED in error.message
