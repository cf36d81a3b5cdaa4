"""BN statistics of each replica, as they are, and back.

Training averages them over the replicas only at steps that the recipe knows,
those of evaluations and checkpoints: there the average is a part of the run,
and one that was interrupted takes it at the same steps as one that was not.
An average more, where a signal happens to stop the run, would round and end in
other bits. So such a checkpoint keeps every replica's own statistics beside
their means; the means are for readers with another number of replicas.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.training import step


def gather(strategy, model):
    """The moving statistics of each replica; a collective of all workers.

    Args:
        strategy: `tf.distribute.Strategy`.
        model: from `keras_resnet.build`.

    Returns:
        float32 (replicas, N), NumPy, a row a replica; None where there is one
        replica or nothing that differs.
    """
    statistics = step.batch_norm_statistics(model)
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

    rows = tf.function(lambda: strategy.run(own))()
    return strategy.experimental_local_results(rows)[0].numpy()


def scatter(strategy, model, rows):
    """Gives each replica its own statistics again.

    Args:
        strategy: of as many replicas.
        model: the same network.
        rows: from `gather`.
    """
    statistics = step.batch_norm_statistics(model)
    sizes = [int(np.prod(variable.shape)) for variable in statistics]

    def assign(rows):
        context = tf.distribute.get_replica_context()
        row = rows[context.replica_id_in_sync_group]
        parts = tf.split(row, sizes)
        for variable, part in zip(statistics, parts, strict=True):
            part = tf.reshape(part, variable.shape)
            variable.assign(tf.cast(part, variable.dtype))

    tf.function(lambda rows: strategy.run(assign, args=(rows,)))(
        tf.constant(rows)
    )
