"""The training and the evaluation step: the same for every strategy."""

import tensorflow as tf

from keras_resnet.evaluation import metrics
from keras_resnet.networks import outputs
from keras_resnet.training import gradients as gradients_lib
from keras_resnet.training import losses
from keras_resnet.training import mixing


def make_train_step(
    strategy,
    model,
    optimizer,
    *,
    loss=None,
    seed=0,
    gradient_accumulation_steps=1,
    jit_compile=False,
    mixes=0,
    teacher=None,
):
    """One iteration of training on a global batch.

    The loss is the sum over examples divided by the number of examples in the
    global batch, so that replicas and micro-batches add up to one device;
    gradients are summed over replicas by the optimizer. BN uses the images that
    go through the network at once, those of one replica or micro-batch: 32
    images a GPU in P1.

    Args:
        strategy: `tf.distribute.Strategy`; model and optimizer were made and
            built in its scope.
        model: from `keras_resnet.build`.
        optimizer: of `keras_resnet.optimizers`.
        loss: (logits, batch) -> (B,). Default: `losses.cross_entropy()`. A
            batch that came with a "step" has "seed", int64 (B, 2): two numbers,
            unique to each example and step whatever the number of devices and
            micro-batches, for `tf.random.stateless_uniform` and the like.
        seed: int, the first of the two numbers.
        gradient_accumulation_steps: int >= 1, micro-batches into which each
            replica divides its part of a batch. Each updates BN's moving
            statistics.
        jit_compile: whether XLA compiles the step, for one device.
        mixes: how many images in a row are mixed with each other, if a batch
            came with "mix", the numbers of `mixing.draw`.
        teacher: `keras.Model` to logits, which the loss gets in a batch as
            "teacher", float32 (B, K).

    Returns:
        Function from a distributed batch, maybe with its "step", int64 (), to
        float32 (4,), the global sums of `metrics.SUMS`; their loss is the
        cross-entropy without smoothing; for mixed images, against the label
        with the larger part.
    """
    network = outputs.logits(model)
    variables = network.trainable_variables
    part_gradients = gradients_lib.make_gradients(
        network, optimizer, loss or losses.cross_entropy()
    )

    def gradients_of(part, count, numbers):
        if numbers is not None:
            part = mixing.mix(part, numbers, mixes)
        if teacher is not None:
            seen = teacher(part["image"], training=False)
            part = {**part, "teacher": seen}
        return part_gradients(part, count)

    def zeros():
        gradients = [tf.zeros(v.shape, v.dtype) for v in variables]
        return gradients, tf.zeros(len(metrics.SUMS))

    def replica_step(batch):
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.reduce_sum(batch["weight"])
        )
        batch = dict(batch)
        if "step" in batch:
            batch["seed"] = _seeds(seed, batch.pop("step"), batch["label"])
        numbers = batch.pop("mix", None)
        gradients, sums = gradients_lib.accumulate(
            lambda part: gradients_of(part, count, numbers),
            batch,
            gradient_accumulation_steps,
            zeros,
        )
        optimizer.apply(gradients, variables)
        return sums

    step = metrics.sum_over_replicas(
        strategy, replica_step, jit_compile=jit_compile
    )
    deep = any(getattr(layer, "shared", False) for layer in network.layers)
    return _as_traced(step) if deep and _is_of_cpus(strategy) else step


def _is_of_cpus(strategy):
    """Whether all devices are this process' own CPUs.

    Other devices need the passes over a graph: between workers these join the
        sums of
    gradients, and for a GPU they choose the layout of images.
    """
    devices = strategy.extended.worker_devices
    local = not strategy.cluster_resolver
    return local and all("CPU:" in device.upper() for device in devices)


def _as_traced(step):
    """A step whose graph TensorFlow runs as it was traced.

    TensorFlow's passes that rewrite a graph (Grappler) do not make the step of
    a deep network faster on a CPU. They take most of the time between tracing
    and the first step: minutes for a graph of 50,000 operations.
    """
    config, off = tf.config.optimizer, "disable_meta_optimizer"

    def run(batch):
        before = config.get_experimental_options().get(off, False)
        config.set_experimental_options({off: True})
        try:
            return step(batch)
        finally:
            config.set_experimental_options({off: before})

    return run


def _seeds(seed, step, label):
    """int64 (B, 2): the seed, and each example's number in the whole run."""
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
    size = tf.shape(label, tf.int64)[0]
    first = (step * replicas + replica) * size
    numbers = first + tf.range(size)
    return tf.stack([tf.fill([size], tf.constant(seed, tf.int64)), numbers], 1)


def make_eval_step(strategy, model):
    """The sums of one evaluation batch, with moving BN statistics.

    Returns:
        Function from a distributed batch to float32 (4,), the global sums of
        `metrics.SUMS`. For a multi-label model, also to the logits, labels and
        weights of the global batch.
    """
    network = outputs.logits(model)

    def replica_step(batch):
        logits = network(batch["image"], training=False)
        label, weight = batch["label"], batch["weight"]
        sums = metrics.batch_sums(logits, label, weight)
        if not outputs.is_multi_label(model):
            return sums
        # Devices cannot exchange uint8.
        return sums, (logits, tf.cast(label, tf.int32), weight)

    return metrics.sum_over_replicas(strategy, replica_step)
