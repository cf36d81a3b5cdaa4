"""BN's moving statistics on several replicas: synchronised, or each its own.

Training takes their means over the replicas only at steps that the recipe
knows, those of evaluations and checkpoints: there they are a part of the run,
and one that was interrupted takes them at the same steps as one that was not.
Means at a step where a signal happens to stop the run would round and end in
other bits. So such a checkpoint keeps every replica's own statistics beside
their means; the means are for readers with another number of replicas.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.weights import transfer


def statistics_of(model):
    """Moving means and variances that may differ between replicas.

    Those of frozen layers are equal, and a mean could round them.
    """
    return [
        variable
        for layer in transfer.batch_norms(model)
        if layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def make_sync(strategy, model):
    """Statistics become their means over the replicas.

    Keras 3 keeps one copy a replica, and a read, a checkpoint or an export
    sees the first one only. To be called before each of them.

    Returns:
        Function without arguments.
    """
    if strategy.num_replicas_in_sync == 1:
        return lambda: None
    statistics = statistics_of(model)
    if not statistics:
        return lambda: None

    def replica_sync():
        context = tf.distribute.get_replica_context()
        # `identity` reads here: the collective asks on which device a value
        # is, which a worker with one device does not know of a variable.
        values = context.all_reduce(
            tf.distribute.ReduceOp.MEAN,
            [tf.identity(variable.value) for variable in statistics],
        )
        for variable, value in zip(statistics, values, strict=True):
            variable.assign(value)

    @tf.function(autograph=False)
    def sync():
        strategy.run(replica_sync)

    return sync


def gather(strategy, model):
    """The moving statistics of each replica; a collective of all workers.

    Args:
        strategy: `tf.distribute.Strategy`.
        model: from `keras_resnet.build`.

    Returns:
        float32 (replicas, N), NumPy, a row a replica; None where there is one
        replica or nothing that differs.
    """
    statistics = statistics_of(model)
    if strategy.num_replicas_in_sync == 1 or not statistics:
        return None

    def own():
        row = tf.concat(
            [
                tf.reshape(tf.cast(variable.value, tf.float32), [-1])
                for variable in statistics
            ],
            axis=0,
        )
        context = tf.distribute.get_replica_context()
        return context.all_gather(row[tf.newaxis], axis=0)

    rows = tf.function(lambda: strategy.run(own), autograph=False)()
    return strategy.experimental_local_results(rows)[0].numpy()


def scatter(strategy, model, rows):
    """Gives each replica its own statistics again.

    Args:
        strategy: of as many replicas.
        model: the same network.
        rows: from `gather`.
    """
    statistics = statistics_of(model)
    sizes = [int(np.prod(variable.shape)) for variable in statistics]

    def assign(rows):
        context = tf.distribute.get_replica_context()
        row = rows[context.replica_id_in_sync_group]
        parts = tf.split(row, sizes)
        for variable, part in zip(statistics, parts, strict=True):
            part = tf.reshape(part, variable.shape)
            variable.assign(tf.cast(part, variable.dtype))

    tf.function(
        lambda rows: strategy.run(assign, args=(rows,)), autograph=False
    )(tf.constant(rows))
