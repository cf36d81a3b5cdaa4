"""How a training step scales over workers: a model, and two points of it.

    step = max(compute, input)
         + 2 (n - 1) / n * bytes / bandwidth + messages * hops * latency

n workers add up `bytes` of gradients in a ring, in which each sends and takes
2 (n - 1) pieces of 1 / n (Patarasuk and Yuan 2009); hops is 2 (n - 1), or
2 log2(n) where NCCL takes trees. Nothing overlaps: TensorFlow adds up all
gradients in one message when the last is ready, so this is the step's upper
bound. Each worker keeps its batch: weak scaling.
"""

import dataclasses
import json
import math
import pathlib
import subprocess
import sys
import tempfile

from keras_resnet.training import launcher

WORKERS = (1, 2, 8, 64, 256, 1024)
# Sums of the loss's weights, of the metrics, of the wish to stop; gradients.
MESSAGES = 4
# 1000 classes, float32; and multiply-adds beside ResNet-50's.
NETWORKS = {
    "ResNet-50": (4 * 25_557_032, 1.0),
    "ResNet-152": (4 * 60_192_808, 11.28 / 3.86),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """What a worker has.

    Attributes:
        batch: images of one worker.
        compute: seconds of its step for ResNet-50, forward to update.
        images_per_second: that its input makes.
        bandwidth: bytes/s that it sends, while it takes as many.
        latency: seconds of a hop.
        trees: whether a message takes 2 log2(n) hops, not 2 (n - 1).
    """

    batch: int
    compute: float
    images_per_second: float
    bandwidth: float
    latency: float
    trees: bool = False


# Assumed, not measured: what such machines are sold as.
ASSUMED = {
    "8 GPUs, 400 Gbit/s, NCCL": Machine(
        batch=2048,
        compute=2048 / 20_000,
        images_per_second=30_000,
        bandwidth=40e9,
        latency=10e-6,
        trees=True,
    ),
    "1 GPU, 25 Gbit/s, NCCL": Machine(
        batch=256,
        compute=256 / 2_500,
        images_per_second=4_000,
        bandwidth=2.5e9,
        latency=25e-6,
        trees=True,
    ),
    "1 GPU, 25 Gbit/s, gRPC rings": Machine(
        batch=256,
        compute=256 / 2_500,
        images_per_second=4_000,
        bandwidth=1e9,
        latency=150e-6,
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """What is measured here."""

    variant: str
    image_size: int
    batch: int
    steps: int


FULL = Amounts(variant="resnet50", image_size=64, batch=8, steps=10)
QUICK = Amounts(variant="resnet20", image_size=32, batch=8, steps=3)


def run(amounts):
    """Measures a step of one and of two processes, and their all-reduce.

    Each process has a core of its own, so that a second one takes nothing from
    the first but the memory's bandwidth.

    Returns:
        dict of figures that JSON can hold.
    """
    one, two = _measure(amounts, 1), _measure(amounts, 2)
    (small, few), (large, many) = two["all_reduce"]
    # Of two workers a ring sends every byte once, in two hops.
    bandwidth = (large - small) / (many - few)
    here = Machine(
        batch=amounts.batch,
        compute=one["step"],
        images_per_second=math.inf,
        bandwidth=bandwidth,
        latency=max(few - small / bandwidth, 0.0) / 2,
    )
    return {
        "benchmark": "scaling",
        "network": amounts.variant,
        "image_size": amounts.image_size,
        "batch": amounts.batch,
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
    """What `scaling_worker` found; both processes find the same."""
    program = pathlib.Path(__file__).with_name("scaling_worker.py")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "figures.json")
        words = json.dumps([dataclasses.asdict(amounts), str(path)])
        started = [
            subprocess.Popen([sys.executable, program, words], env=environment)
            for environment in launcher.environments(workers)
        ]
        for process in started:
            if process.wait() != 0:
                raise RuntimeError(f"{program} ended with an error.")
        return json.loads(path.read_text())


def markdown(figures):
    """Tables of what was measured, and of the prediction to 1,024 workers."""
    lines = [
        f"Measured: {figures['network']}, {figures['image_size']} px, "
        f"{figures['batch']} images a process, a core each; all-reduce of "
        f"{figures['bytes'] / 1e6:.1f} MB over loopback (gRPC): "
        f"{figures['bandwidth'] / 1e6:.0f} MB/s, "
        f"{1e3 * figures['latency']:.2f} ms a hop.",
        "",
        "| processes | predicted, ms a step | measured, ms |",
        "|---|---|---|",
    ]
    for row in figures["steps"]:
        # Of one process the model is the measurement.
        predicted = f"{1e3 * row['predicted']:.0f}"
        lines.append(
            f"| {row['workers']} | {predicted} | {1e3 * row['measured']:.0f} |"
        )
    lines += [
        "",
        "Predicted images/s beside n times those of one worker:",
        "",
        "| each worker | network | "
        + " | ".join(f"n = {n:,}" for n in WORKERS[1:])
        + " |",
        "|" + "---|" * (len(WORKERS) + 1),
    ]
    for name, machine in ASSUMED.items():
        for network, (num_bytes, work) in NETWORKS.items():
            shares = [
                f"{efficiency(machine, n, num_bytes, work):.0%}"
                for n in WORKERS[1:]
            ]
            lines.append(f"| {name} | {network} | {' | '.join(shares)} |")
    return "\n".join(lines)


def draw(figures, path):
    """Efficiency over workers, as a PNG."""
    import matplotlib.figure

    del figures
    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    workers = [2**i for i in range(11)]
    for name, machine in ASSUMED.items():
        for network, (num_bytes, work) in NETWORKS.items():
            axes.plot(
                workers,
                [efficiency(machine, n, num_bytes, work) for n in workers],
                label=f"{network}, {name}",
            )
    axes.set(xscale="log", xlabel="workers", ylabel="efficiency", ylim=(0, 1))
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
