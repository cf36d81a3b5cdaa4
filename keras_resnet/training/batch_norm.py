"""BN's moving statistics on several replicas: synchronised or per replica.

Training averages them over the replicas only at steps that the recipe fixes:
evaluations and checkpoints. An interrupted run then averages at the same steps
as an uninterrupted one. Averaging at a step where a signal happens to stop the
run would round and end in other bits. So such a checkpoint keeps every
replica's own statistics beside their means; the means are for readers with
another number of replicas.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.weights import transfer


def statistics_of(model):
    """Moving means and variances that may differ between replicas.

    Skips frozen layers: their statistics are equal, and a mean could round
        them.
    """
    return [
        variable
        for layer in transfer.batch_norms(model)
        if layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def make_sync(strategy, model):
    """Makes a function that averages statistics over the replicas.

    Keras 3 keeps one copy on each replica, and a read, a checkpoint or an
    export sees only the first. Call the function before each of them.

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
        # `identity` reads the value: the collective asks for its device, which
        # a variable does not have on a worker with one device.
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
        float32 (replicas, N), NumPy, one row for each replica; None if there is
        one replica or nothing differs.
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
        strategy: with as many replicas.
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
