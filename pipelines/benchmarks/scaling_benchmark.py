"""How a training step scales over workers: a model, and two points of it.

    step = max(compute, input)
         + 2 (n - 1) / n * bytes / bandwidth + messages * hops * latency

n workers add up `bytes` of gradients in a ring, in which each sends and takes
2 (n - 1) pieces of 1 / n (Patarasuk and Yuan 2009); hops is 2 (n - 1), or
2 log2(n) where NCCL takes trees. Nothing overlaps: TensorFlow adds up all
gradients in one message when the last is ready, so this is the step's upper
bound. Each worker keeps its batch: weak scaling.
"""

import concurrent.futures
import math
import typing

from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.runner import Contender

from keras_resnet.training import launcher

PACKAGES = ("tensorflow",)
WORKERS = (1, 2, 8, 64, 256, 1024)
# Sums of the loss's weights, of the metrics, of the wish to stop; gradients.
MESSAGES = 4
# 1000 classes, float32; and multiply-adds beside ResNet-50's.
NETWORKS = {
    "ResNet-50": (4 * 25_557_032, 1.0),
    "ResNet-152": (4 * 60_192_808, 11.28 / 3.86),
}


class Machine(typing.NamedTuple):
    """What a worker has."""

    batch: int  # images of one worker
    compute: float  # seconds of its step for ResNet-50, forward to update
    images_per_second: float  # that its input makes
    bandwidth: float  # bytes/s that it sends, while it takes as many
    latency: float  # seconds of a hop
    trees: bool = False  # whether a message takes 2 log2(n) hops, not 2 (n - 1)


# Assumed, not measured: what such machines are sold as.
ASSUMED = {
    "8 GPUs, 400 Gbit/s, NCCL": Machine(
        2048, 2048 / 20_000, 30_000, 40e9, 10e-6, trees=True
    ),
    "1 GPU, 25 Gbit/s, NCCL": Machine(
        256, 256 / 2_500, 4_000, 2.5e9, 25e-6, trees=True
    ),
    "1 GPU, 25 Gbit/s, gRPC rings": Machine(
        256, 256 / 2_500, 4_000, 1e9, 150e-6
    ),
}


def step_seconds(machine, workers, num_bytes, work=1.0):
    """The model: seconds of a step.

    Args:
        machine: `Machine` of every worker.
        workers: int, n.
        num_bytes: of the gradients.
        work: compute beside that of `machine.compute`.
    """
    alone = max(
        machine.compute * work, machine.batch / machine.images_per_second
    )
    sent = 2 * (workers - 1) / workers * num_bytes / machine.bandwidth
    hops = 2 * (math.log2(workers) if machine.trees else workers - 1)
    return alone + sent + MESSAGES * hops * machine.latency


def efficiency(machine, workers, num_bytes, work=1.0):
    """Images/s of n workers beside n times those of one, 0..1."""
    one = step_seconds(machine, 1, num_bytes, work)
    return one / step_seconds(machine, workers, num_bytes, work)


# Arguments of `scaling_steps.measure`.
FULL = {"variant": "resnet50", "image_size": 64, "batch": 8, "steps": 10}
SHORT = {**FULL, "steps": 5}
QUICK = {"variant": "resnet20", "image_size": 32, "batch": 8, "steps": 3}


def groups(amounts, say=print):
    """{group: () -> its part of the figures}."""
    return {"steps": lambda: _steps(amounts, say)}


def _steps(amounts, say):
    """Steps of one and of two processes, and all-reduces.

    Each process has a core of its own, so that a second one takes nothing from
    the first but the memory's bandwidth.
    """
    say("One process, then two ...")
    one, two = _measure(amounts, 1), _measure(amounts, 2)
    (small, few), (large, many) = two["all_reduce"]
    # Of two workers a ring sends every byte once, in two hops.
    bandwidth = (large - small) / (many - few)
    here = Machine(
        batch=amounts["batch"],
        compute=one["step"],
        images_per_second=math.inf,
        bandwidth=bandwidth,
        latency=max(few - small / bandwidth, 0.0) / 2,
    )
    return {
        "network": amounts["variant"],
        **{key: amounts[key] for key in ("image_size", "batch")},
        "bytes": one["bytes"],
        "bandwidth": here.bandwidth,
        "latency": here.latency,
        "steps": [
            {
                "workers": n,
                "predicted": step_seconds(here, n, one["bytes"]),
                "measured": found["step"],
            }
            for n, found in ((1, one), (2, two))
        ],
    }


def _measure(amounts, workers):
    """What `scaling_steps` measures in each of some processes at a time."""
    function = "benchmarks.scaling_steps:measure"
    contenders = [
        Contender(function, amounts, environment=environment)
        for environment in launcher.environments(workers)
    ]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        # They wait for each other: all find the same.
        begun = list(pool.map(Contender.begin, contenders))
    return begun[0]["result"]


def report(figures):
    """What was measured, and the prediction to 1,024 workers; panels."""
    measured = (
        f"Measured: {figures['network']}, {figures['image_size']} px, "
        f"{figures['batch']} images a process, a core each; all-reduce of "
        f"{figures['bytes'] / 1e6:.1f} MB over loopback (gRPC): "
        f"{figures['bandwidth'] / 1e6:.0f} MB/s, "
        f"{1e3 * figures['latency']:.2f} ms a hop."
    )
    predicted = "Predicted images/s beside n times those of one worker:"
    steps = tables.of_rows(figures["steps"], STEPS)
    columns = {"each worker": ("name", ""), "network": ("network", "")}
    columns |= {f"n = {n:,}": (str(n), ".0%") for n in WORKERS[1:]}
    shares = list(_predictions())
    return [measured, steps, predicted, tables.of_rows(shares, columns)], [
        pictures.Panel(
            f"{row['network']}, {row['name']}",
            "images/s of n workers beside n times those of one",
            {f"n = {n:,}": measure.spread([row[str(n)]]) for n in WORKERS[1:]},
        )
        for row in shares
    ]


STEPS = {
    "processes": ("workers", "d"),
    # Of one process the model is the measurement.
    "predicted, ms a step": (lambda row: 1e3 * row["predicted"], ".0f"),
    "measured, ms": (lambda row: 1e3 * row["measured"], ".0f"),
}


def _predictions():
    """Rows with the efficiency of each number of workers."""
    for name, machine in ASSUMED.items():
        for network, (num_bytes, work) in NETWORKS.items():
            shares = {
                str(n): efficiency(machine, n, num_bytes, work)
                for n in WORKERS[1:]
            }
            yield {"name": name, "network": network, **shares}
