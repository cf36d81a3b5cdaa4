"""Where a run computes: a tf.distribute strategy by its name."""

import tensorflow as tf

from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require

STRATEGIES = {
    "one_device": "the first GPU, or the CPU",
    "mirrored": "all GPUs, or the CPU's logical devices",
}


def make_strategy(name, devices=None):
    """A strategy for the devices of this machine.

    Args:
        name: key of `STRATEGIES`.
        devices: int, how many to use. Default: all GPUs; without a GPU, the
            CPU as one device. More than there are splits the CPU into logical
            devices, for tests and development; that works only before
            TensorFlow has started.

    Returns:
        `tf.distribute.Strategy`.
    """
    lookup(STRATEGIES, name, "strategy")
    require(
        devices is None or devices >= 1,
        f"devices must be >= 1. Received: {devices}.",
    )
    require(
        name == "mirrored" or devices in (None, 1),
        f"--strategy={name} uses one device. For {devices} take "
        "--strategy=mirrored.",
    )
    found = _devices(devices)
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy(found[0])
    if "CPU" not in found[0]:
        return tf.distribute.MirroredStrategy(found)
    # TensorFlow's collectives for several CPUs allow one strategy a process.
    reduce = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(found, cross_device_ops=reduce)


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
    """'2 x CPU', for reports."""
    devices = strategy.extended.worker_devices
    kind = devices[0].split(":")[-2]
    return f"{len(devices)} x {kind}"
