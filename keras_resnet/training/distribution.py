"""Where a run computes: a tf.distribute strategy by its name."""

import signal

import tensorflow as tf

from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import execution
from keras_resnet.networks import internals
from keras_resnet.training import cluster as cluster_lib
from keras_resnet.training import mixing
from keras_resnet.training import rendezvous

STRATEGIES = {
    "one_device": "the first GPU, or the CPU",
    "mirrored": "all GPUs, or the CPU's logical devices",
    "multi_worker": "the same on each of the workers that TF_CONFIG or Slurm "
    "name",
}
COMMUNICATIONS = {
    "auto": "TensorFlow's choice: NCCL between GPUs, else rings over gRPC",
    "ring": "rings over gRPC, for GPUs too",
    "nccl": "NCCL; GPUs only",
}
START_TIMEOUT = 300  # seconds


def make_strategy(
    name, devices=None, *, communication="auto", start_timeout=START_TIMEOUT
):
    """A strategy for the devices of this machine, or of all workers.

    Args:
        name: key of `STRATEGIES`.
        devices: int, how many to use. Default: all GPUs; without a GPU, the
            CPU as one device. Without a GPU, more than one splits the CPU into
            logical devices, for tests and development; that works only before
            TensorFlow has started. With multi_worker: for each worker.
        communication: key of `COMMUNICATIONS`, for multi_worker.
        start_timeout: seconds that a worker waits for the others.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        rendezvous.Missing: if a worker is not there in time.
        keras_resnet.UsageError: if the devices or the workers cannot work, or
            Keras does not run on TensorFlow.
    """
    execution.require_tensorflow("A strategy")
    lookup(STRATEGIES, name, "strategy")
    require(
        devices is None or devices >= 1,
        f"devices must be >= 1. Received: {devices}.",
    )
    require(
        name != "one_device" or devices in (None, 1),
        f"--strategy={name} uses one device. For {devices} take "
        "--strategy=mirrored.",
    )
    lookup(COMMUNICATIONS, communication, "communication")
    if name == "multi_worker":
        cluster = cluster_lib.from_environment()
        rendezvous.meet(cluster, start_timeout)
        return _multi_worker(cluster, _devices(devices), communication)
    found = _devices(devices)
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy(found[0])
    if "CPU" not in found[0]:
        return tf.distribute.MirroredStrategy(found)
    # TensorFlow's collectives for several CPUs allow one strategy per process.
    reduce = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(found, cross_device_ops=reduce)


def _multi_worker(cluster, devices, communication):
    require(
        communication != "nccl" or "CPU" not in devices[0],
        "--communication=nccl needs GPUs; this machine has none.",
    )
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=getattr(
            tf.distribute.experimental.CommunicationImplementation,
            communication.upper(),
        )
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": sum("GPU" in device for device in devices)},
    )
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with internals.all_cpu_devices(devices):
            strategy = tf.distribute.MultiWorkerMirroredStrategy(
                resolver, options
            )
    except (tf.errors.OpError, RuntimeError) as error:
        raise UsageError(
            f"Worker {cluster.index} cannot start at "
            f"{cluster.addresses[cluster.index]}: {error}"
        ) from error
    # TensorFlow's watch for preemptions swallows SIGTERM: restore the handler.
    signal.signal(signal.SIGTERM, handler)
    return strategy


def is_chief(strategy):
    """Whether this process writes what all workers share."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id == 0


def _devices(count):
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        require(
            count is None or count <= len(gpus),
            f"There are {len(gpus)} GPUs. Received: devices={count}.",
        )
        return [f"GPU:{i}" for i in range(count or len(gpus))]
    if count is not None and count > 1:
        _split_cpu(count)
    return [f"CPU:{i}" for i in range(count or 1)]


def _split_cpu(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    if len(tf.config.get_logical_device_configuration(cpu) or ()) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        raise UsageError(
            f"Cannot split the CPU into {count} devices any more: {error}. "
            "Make the strategy first."
        ) from error


def describe(strategy):
    """'2 x CPU', or '4 x 2 x CPU' of 4 workers, for reports."""
    devices = strategy.extended.worker_devices
    kind = devices[0].split(":")[-2]
    workers = strategy.num_replicas_in_sync // len(devices)
    each = f"{len(devices)} x {kind}"
    return f"{workers} x {each}" if workers > 1 else each


def check(recipe, strategy):
    """Refuses what the devices of a strategy cannot compute.

    Raises:
        keras_resnet.UsageError: if they do not divide the batch, or XLA cannot
            compile their step.
    """
    replicas = strategy.num_replicas_in_sync
    parts = recipe.gradient_accumulation_steps
    require(
        recipe.batch_size % (replicas * parts) == 0,
        f"The {replicas} devices, times gradient_accumulation_steps, must "
        f"divide the global batch. Received: batch_size={recipe.batch_size}, "
        f"gradient_accumulation_steps={parts}.",
    )
    mixing.check(recipe, replicas * parts)
    require(
        not recipe.jit_compile
        or isinstance(strategy, tf.distribute.OneDeviceStrategy),
        "jit_compile needs --strategy=one_device: TensorFlow sums gradients "
        "over devices by operations that XLA cannot compile or that hang in "
        f"it. Received: {type(strategy).__name__} of {replicas} devices.",
    )
