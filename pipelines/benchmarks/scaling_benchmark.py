"""How a training step scales over workers: a model, and points of it.

    step = max(compute, input)
         + 2 (n - 1) / n * bytes / bandwidth + messages * hops * latency

n workers add up `bytes` of gradients in a ring: each sends and receives
2 (n - 1) pieces of 1 / n (Patarasuk and Yuan 2009). hops is 2 (n - 1), or
2 log2(n) where NCCL uses trees. Nothing overlaps: TensorFlow adds up all
gradients in one message when the last is ready, so this is the step's upper
bound. Each worker keeps its batch: weak scaling.
"""

import concurrent.futures
import functools
import math
import typing

from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.runner import Contender

from keras_resnet.training import launcher

PACKAGES = ("tensorflow",)
WORKERS = (1, 2, 8, 64, 256, 1024)
# Sums of the loss's weights, the metrics, the wish to stop and the gradients.
MESSAGES = 4
# Bytes (1000 classes, float32), and multiply-adds relative to ResNet-50's.
NETWORKS = {
    "ResNet-50": (4 * 25_557_032, 1.0),
    "ResNet-152": (4 * 60_192_808, 11.28 / 3.86),
}


class Machine(typing.NamedTuple):
    """What a worker has."""

    batch: int  # images of one worker
    compute: float  # seconds of its step for ResNet-50, forward to update
    images_per_second: float  # that its input makes
    bandwidth: float  # bytes/s that it sends while it receives as many
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
        work: compute, relative to `machine.compute`.
    """
    alone = max(
        machine.compute * work, machine.batch / machine.images_per_second
    )
    sent = 2 * (workers - 1) / workers * num_bytes / machine.bandwidth
    hops = 2 * (math.log2(workers) if machine.trees else workers - 1)
    return alone + sent + MESSAGES * hops * machine.latency


def efficiency(machine, workers, num_bytes, work=1.0):
    """Images/s of n workers over n times those of one, 0..1."""
    one = step_seconds(machine, 1, num_bytes, work)
    return one / step_seconds(machine, workers, num_bytes, work)


# Arguments of `scaling_steps.measure`, and "setups": processes at a time, and
# devices of each.
FULL = {"variant": "resnet50", "image_size": 64, "batch": 8, "steps": 10}
FULL["setups"] = [(1, 1), (2, 1), (1, 2), (4, 1), (8, 1)]
SHORT = {**FULL, "steps": 5, "setups": FULL["setups"][:3]}
QUICK = {"variant": "resnet20", "image_size": 32, "batch": 8, "steps": 3}
QUICK["setups"] = FULL["setups"][:3]


def groups(amounts, say=print):
    """{group: () -> its part of the figures}.

    Each process has a core of its own as long as there are cores; 1x2 is one
    process of two devices.
    """
    arguments = {k: amounts[k] for k in amounts if k != "setups"}
    return {
        f"{processes}x{devices}": functools.partial(
            _measure, arguments, processes, devices
        )
        for processes, devices in amounts["setups"]
    }


def _measure(arguments, processes, devices):
    """What `scaling_steps` measures in each of some processes at a time."""
    function = "benchmarks.scaling_steps:measure"
    environments = launcher.environments(processes)
    contenders = [
        Contender(
            function,
            {**arguments, "devices": devices},
            environment=environment if devices == 1 else {},
        )
        for environment in environments
    ]
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        # They wait for each other: all find the same.
        begun = list(pool.map(Contender.begin, contenders))
    return {"measured": {f"{processes}x{devices}": begun[0]["result"]}}


def predictions(measured, cores):
    """Rows of steps of this machine, as predicted and as measured.

    Steps without sums of gradients show how much slower two devices at a time
    are than one; the time of a sum between steps is added. More processes
    follow from two: they share cores, and each core sends for all of its own.

    Args:
        measured: {"1x1": what `scaling_steps.measure` found, ...}.
        cores: int.
    """
    for name, found in measured.items():
        processes, devices = map(int, name.split("x"))
        yield {
            "processes": processes,
            "devices": devices,
            "predicted": _predicted(measured, processes, devices, cores),
            "measured": found["step"],
            "local": found.get("local"),
            "gradients": found["gradients"],
        }


def _predicted(measured, processes, devices, cores):
    if not {"1x1", "2x1"} <= set(measured):
        return None
    one, two = measured["1x1"], measured["2x1"]
    if processes == devices == 1:
        return one["step"]
    if devices == 2:  # they share threads: none waits for the slower
        compute = one["step"] * two["own"] / one["local"]
        return compute + measured["1x2"]["gradients"]
    compute = one["step"] * two["local"] / one["local"]
    # How much more each core does than with two processes.
    more = min(2, cores) / min(processes, cores)
    # A ring moves 2 (n - 1) times the bytes in 2 (n - 1) hops.
    sums = two["gradients"] + (MESSAGES - 1) * two["number"]
    return more * (processes / 2 * compute + (processes - 1) * sums)


def report(figures):
    """What was measured, and the prediction to 1,024 workers; panels."""
    parts = []
    if figures.get("measured"):
        parts += _measured_section(figures)
    columns = {"each worker": ("name", ""), "network": ("network", "")}
    columns |= {f"n = {n:,}": (str(n), ".0%") for n in WORKERS[1:]}
    shares = list(_predictions())
    parts.append("Predicted images/s beside n times those of one worker:")
    parts.append(tables.of_rows(shares, columns))
    return parts, [
        pictures.Panel(
            f"{row['network']}, {row['name']}",
            "images/s of n workers beside n times those of one",
            {f"n = {n:,}": measure.spread([row[str(n)]]) for n in WORKERS[1:]},
        )
        for row in shares
    ]


def _measured_section(figures):
    amounts, measured = figures["amounts"], figures["measured"]
    megabytes = next(iter(measured.values()))["bytes"] / 1e6
    protocol = (
        "{variant}, {image_size} px, {batch} images a device, the median of "
        "{steps} steps; a process has one core, one of two devices has two"
    ).format(**amounts)
    rows = predictions(measured, figures["machine"]["cores"])
    said = f"Gradients of {megabytes:.1f} MB, over loopback (gRPC)"
    return [
        tables.machine(figures, f"{protocol}. {said}", spreads=False),
        tables.of_rows(list(rows), STEPS),
    ]


def _ms(key):
    return lambda row: row[key] and 1e3 * row[key], ".0f"


STEPS = {
    "processes": ("processes", "d"),
    "devices of each": ("devices", "d"),
    "ms that sum nothing": _ms("local"),
    "ms of a sum, between steps": _ms("gradients"),
    "predicted, ms a step": _ms("predicted"),
    "measured": _ms("measured"),
    "predicted over measured": (
        lambda row: row["predicted"] and row["predicted"] / row["measured"],
        ".2f",
    ),
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
