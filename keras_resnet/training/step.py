"""The training and the evaluation step: the same for every strategy."""

import tensorflow as tf

from keras_resnet.evaluation import metrics
from keras_resnet.networks import outputs
from keras_resnet.training import gradients as gradients_lib
from keras_resnet.weights import transfer


def make_train_step(
    strategy,
    model,
    optimizer,
    *,
    label_smoothing=0.0,
    gradient_accumulation_steps=1,
    jit_compile=False,
):
    """One iteration of SGD on a global batch.

    The loss is the sum over examples divided by the number of examples in the
    global batch, so that replicas and micro-batches add up to one device;
    gradients are summed over replicas by the optimizer. BN uses the batch that
    goes through the network at once, each replica's or micro-batch's own: 32
    images a GPU in P1.

    Args:
        strategy: `tf.distribute.Strategy`; model and optimizer were made and
            built in its scope.
        model: from `keras_resnet.build`.
        optimizer: `keras_resnet.optimizers.SGD`.
        label_smoothing: float, 0 to 1, see `gradients.example_losses`. The
            loss returned is not smoothed.
        gradient_accumulation_steps: int >= 1, micro-batches into which each
            replica divides its part of a batch. Each updates BN's moving
            statistics.
        jit_compile: whether XLA compiles the step, for one device.

    Returns:
        Function from a distributed batch to float32 (4,), the global sums of
        `metrics.SUMS`.
    """
    network = outputs.logits(model)
    variables = network.trainable_variables
    part_gradients = gradients_lib.make_gradients(
        network, optimizer, label_smoothing
    )

    def zeros():
        gradients = [tf.zeros(v.shape, v.dtype) for v in variables]
        return gradients, tf.zeros(len(metrics.SUMS))

    def replica_step(batch):
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.reduce_sum(batch["weight"])
        )
        gradients, sums = gradients_lib.accumulate(
            lambda part: part_gradients(part, count),
            batch,
            gradient_accumulation_steps,
            zeros,
        )
        optimizer.apply(gradients, variables)
        return sums

    return metrics.sum_over_replicas(
        strategy, replica_step, jit_compile=jit_compile
    )


def make_eval_step(strategy, model):
    """The sums of one evaluation batch, with moving BN statistics.

    Returns:
        Function from a distributed batch to float32 (4,), the global sums of
        `metrics.SUMS`.
    """
    network = outputs.logits(model)

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
        # Of what it reads here a worker with one device knows the device.
        values = context.all_reduce(
            tf.distribute.ReduceOp.MEAN,
            [tf.identity(variable.value) for variable in statistics],
        )
        for variable, value in zip(statistics, values, strict=True):
            variable.assign(value)

    @tf.function
    def sync():
        strategy.run(replica_sync)

    return sync
