"""The training and the evaluation step: the same for every strategy."""

import keras
import tensorflow as tf

from keras_resnet import model as model_lib
from keras_resnet import transfer
from keras_resnet.evaluation import metrics


def make_train_step(strategy, model, optimizer):
    """One iteration of SGD on a global batch.

    The loss is the sum over examples divided by the number of examples in the
    global batch, so that replicas add up to one device; gradients are summed
    by the optimizer. BN uses each replica's own batch, as in both papers.

    Args:
        strategy: `tf.distribute.Strategy`; model and optimizer were made and
            built in its scope.
        model: from `keras_resnet.build`.
        optimizer: `keras_resnet.optimizers.SGD`.

    Returns:
        Function from a distributed batch to float32 (4,), the global sums of
        `metrics.SUMS`.
    """
    network = model_lib.logits(model)
    variables = network.trainable_variables

    def replica_step(batch):
        label, weight = batch["label"], batch["weight"]
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.reduce_sum(weight)
        )
        with tf.GradientTape() as tape:
            logits = network(batch["image"], training=True)
            losses = keras.losses.sparse_categorical_crossentropy(
                label, logits, from_logits=True
            )
            # Not a mean of replicas: one whose examples are all masked
            # counts for nothing.
            loss = tf.reduce_sum(losses * weight) / tf.maximum(count, 1.0)
        gradients = tape.gradient(loss, variables)
        optimizer.apply(gradients, variables)
        return metrics.batch_sums(logits, label, weight)

    return metrics.sum_over_replicas(strategy, replica_step)


def make_eval_step(strategy, model):
    """The sums of one evaluation batch, with moving BN statistics.

    Returns:
        Function from a distributed batch to float32 (4,), the global sums of
        `metrics.SUMS`.
    """
    network = model_lib.logits(model)

    def replica_step(batch):
        logits = network(batch["image"], training=False)
        return metrics.batch_sums(logits, batch["label"], batch["weight"])

    return metrics.sum_over_replicas(strategy, replica_step)


def batch_norm_statistics(model):
    """Moving means and variances that may differ between replicas.

    Those of frozen layers are equal, and a mean could round them.
    """
    return [
        variable
        for layer in transfer.batch_norms(model)
        if layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def make_sync_batch_norm(strategy, model):
    """Averages BN's moving statistics over the replicas.

    Keras 3 keeps one copy a replica, and a read, a checkpoint or an export
    sees the first one only. To be called before each of them.

    Returns:
        Function without arguments.
    """
    if strategy.num_replicas_in_sync == 1:
        return lambda: None
    statistics = batch_norm_statistics(model)
    if not statistics:
        return lambda: None

    def replica_sync():
        context = tf.distribute.get_replica_context()
        values = context.all_reduce(
            tf.distribute.ReduceOp.MEAN,
            [tf.convert_to_tensor(variable.value) for variable in statistics],
        )
        for variable, value in zip(statistics, values, strict=True):
            variable.assign(value)

    @tf.function
    def sync():
        strategy.run(replica_sync)

    return sync
