"""Which worker makes which rows of a global batch.

The replicas, numbered across all workers, take equal runs of its rows in order,
as a strategy on one machine deals them out. A worker makes only the rows of its
own replicas.
"""

import dataclasses
import itertools

import tensorflow as tf

from keras_resnet.errors import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Share:
    """What one worker makes of every global batch.

    Attributes:
        batch_size: rows of one replica.
        replicas: how many this worker has.
        first: first row of this worker.
        whole: rows of the global batch.
    """

    batch_size: int
    replicas: int
    first: int
    whole: int

    @classmethod
    def of(cls, context, batch_size):
        """The share of a worker.

        Args:
            context: `tf.distribute.InputContext`, or None: one worker, one
                replica.
            batch_size: int, rows of the global batch.

        Raises:
            keras_resnet.UsageError: if the replicas do not divide `batch_size`.
        """
        context = context or tf.distribute.InputContext()
        replicas, workers = (
            context.num_replicas_in_sync,
            context.num_input_pipelines,
        )
        require(
            batch_size % replicas == 0,
            f"The {replicas} devices must divide the global batch. "
            f"Received: batch_size={batch_size}.",
        )
        size = batch_size // workers
        return cls(
            batch_size=batch_size // replicas,
            replicas=replicas // workers,
            first=context.input_pipeline_id * size,
            whole=batch_size,
        )

    @property
    def size(self):
        """Rows of this worker, all its replicas together."""
        return self.batch_size * self.replicas

    def rows(self, batch):
        """The worker's rows of an array (B, ...): a list, one per replica."""
        own = batch[self.first : self.first + self.size]
        return [
            own[i : i + self.batch_size]
            for i in range(0, self.size, self.batch_size)
        ]

    def place(self, i):
        """The place of this worker's i-th row among the rows of all workers."""
        return i // self.size * self.whole + self.first + i % self.size


def distribute(strategy, make, steps):
    """The batches of all workers, one for each replica at every step.

    Args:
        strategy: `tf.distribute.Strategy`.
        make: `tf.distribute.InputContext` -> `tf.data.Dataset` of this
            worker's share.
        steps: int, how many global batches there are.

    Returns:
        Iterable over `steps` distributed batches; its `element_spec` is
        theirs.
    """

    # A strategy reads ahead for each device with iterators of its own, which
    # have the tuner that `execution` turns off. One CPU needs no read-ahead.
    if _is_one_cpu(strategy):
        return _Counted(make(tf.distribute.InputContext()), steps)

    # If a data set may end, several workers ask each other at each step whether
    # it has, and lose the shapes. Ours end together: count the steps instead.
    def endless(context):
        return make(context).apply(
            tf.data.experimental.assert_cardinality(
                tf.data.INFINITE_CARDINALITY
            )
        )

    return _Counted(strategy.distribute_datasets_from_function(endless), steps)


def _is_one_cpu(strategy):
    devices = {
        device.device_type for device in tf.config.list_logical_devices()
    }
    return strategy.num_replicas_in_sync == 1 and devices == {"CPU"}


class _Counted:
    def __init__(self, dataset, steps):
        self._dataset, self._steps = dataset, steps
        self.element_spec = dataset.element_spec

    def __iter__(self):
        return itertools.islice(self._dataset, self._steps)
