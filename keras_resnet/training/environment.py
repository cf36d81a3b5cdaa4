"""What the bits of a result depend on, beside the recipe.

The same recipe gives the same bits on the same machine type, TensorFlow,
threads and replicas; others gave other bits when measured (threads of one
operation, oneDNN, XLA and op determinism each did). TensorFlow does not tell
whether `enable_op_determinism` was called, so its environment variable is here.
"""

import os

import keras
import numpy as np

from keras_resnet.training import processor

_VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "XLA_FLAGS",
)


def describe(strategy):
    """The environment of a run, for its checkpoints.

    Args:
        strategy: `tf.distribute.Strategy`.

    Returns:
        dict of str to int or str.
    """
    import tensorflow as tf

    threading = tf.config.threading
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "replicas": strategy.num_replicas_in_sync,
        "device": _device(strategy.extended.worker_devices[0]),
        "cpus": _cpus(),
        "intra-op threads": threading.get_intra_op_parallelism_threads(),
        **{name: os.environ.get(name, "") for name in _VARIABLES},
    }


def changes(before, now):
    """What differs, in words: "replicas: 1 then, 2 now"; "" if nothing does.

    Args:
        before, now: from `describe`.
    """
    return "; ".join(
        f"{name}: {before.get(name)!r} then, {now.get(name)!r} now"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    )


def slow_bfloat16(dtype, device, flags=None):
    """What bfloat16 costs on a CPU without instructions for it.

    Args:
        dtype: of a recipe.
        device: as `describe` names it.
        flags: names of the CPU's instructions. Default: those that Linux
            reports; elsewhere there is no warning.

    Returns:
        list of str: one line for a warning, or empty.
    """
    if "bfloat16" not in dtype or device not in ("cpu", processor.name()):
        return []
    flags = processor.flags() if flags is None else flags.split()
    if not processor.lacks_bfloat16(flags):
        return []
    return [
        f"dtype={dtype}: this CPU has no instructions for bfloat16 "
        f"({', '.join(sorted(processor.BFLOAT16))}). It computes in float32 "
        "and rounds, which is slower than --dtype=float32; take that."
    ]


def _cpus():
    """CPUs that this process may use, as TensorFlow counts its threads."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _device(name):
    """The model of a device: kernels choose their instructions by it."""
    import tensorflow as tf

    kind = name.split(":")[-2]
    if kind == "GPU":
        gpu = tf.config.list_physical_devices("GPU")[0]
        details = tf.config.experimental.get_device_details(gpu)
        return details.get("device_name", kind)
    return processor.name()
