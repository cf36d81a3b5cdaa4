"""The training step beside its peers: speed, first step, build, memory."""

import contextlib
import dataclasses
import importlib.metadata
import pathlib
import tempfile

from benchmarks import input_benchmark
from benchmarks import measure
from benchmarks import photographs
from benchmarks import step_profile
from benchmarks import train_contenders as contenders
from benchmarks import turns

PACKAGES = ("tensorflow", "keras", "torch", "torchvision")


def run(amounts, say=print):
    """Measures everything.

    Args:
        amounts: `train_contenders.Amounts`.
        say: what takes a line on the progress.

    Returns:
        dict of figures, as JSON can hold it.
    """
    figures = {
        "benchmark": "train",
        "machine": {**input_benchmark.machine(), "packages": _versions()},
        "amounts": dataclasses.asdict(amounts),
    }
    with tempfile.TemporaryDirectory() as folder:
        of_class = pathlib.Path(folder, "train", "photographs")
        of_class.mkdir(parents=True)
        image_set = photographs.SETS["500x375"]
        photographs.write(of_class, image_set, amounts.files)
        tasks = _tasks(amounts, folder)
        speed, missing, begun = _speed(tasks, amounts, say)
        figures |= {"speed": speed, "missing": missing}
        say("Input alone ...")
        figures["input"] = _input(tasks[contenders.FROM_FILES][1], amounts)
    say("First steps ...")
    _begin_again(tasks, begun, amounts)
    figures["first_steps"] = {
        name: summarise_begun(of_one, begun[contenders.OURS])
        for name, of_one in begun.items()
    }
    say("Building ...")
    figures["builds"] = _builds(amounts)
    say(f"First step of {amounts.deepest} ...")
    figures["deepest"] = {
        "network": str(amounts.deepest),
        **turns.begin(*amounts.deepest.task()),
    }
    say("Memory ...")
    figures["memory"] = _memory(amounts)
    say("Profile ...")
    figures["profile"] = step_profile.measure(
        tasks[contenders.OURS][1], amounts.profiled_steps
    )
    return figures


def _versions():
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _tasks(amounts, folder):
    """{row: (contender, all its arguments)}."""
    size = {key: getattr(amounts, key) for key in ("image_size", "batch_size")}
    tasks = {
        name: (contender, {**size, **arguments})
        for name, (contender, arguments) in contenders.CONTENDERS.items()
    }
    tasks[contenders.FROM_FILES][1]["folder"] = folder
    return tasks


def _speed(tasks, amounts, say):
    """Speeds in turns, those who could not, and what each start took."""
    with contextlib.ExitStack() as stack:
        workers, missing = {}, {}
        for name, task in tasks.items():
            say(f"Starting: {name} ...")
            try:
                workers[name] = stack.enter_context(turns.Worker(*task))
            except turns.NotInstalled as error:
                missing[name] = str(error)
        say(f"{amounts.rounds} rounds of {amounts.steps} steps each ...")
        spent = turns.Spent()
        runs = measure.alternate(
            {
                name: spent.turn(worker, amounts.steps, amounts.batch_size)
                for name, worker in workers.items()
            },
            rounds=amounts.rounds,
            clocks=spent.clocks,
        )
        begun = {
            name: [workers[name].begun]
            for name in contenders.FIRST_STEPS
            if name in workers
        }
    return summarise(runs, amounts.batch_size), missing, begun


def summarise(runs, batch_size):
    """Speeds of all contenders, and ours over each.

    Args:
        runs: {name: list of `measure.Run`}, of `measure.alternate`.
        batch_size: images of a step.

    Returns:
        {name: {"images_per_second", "step_seconds", "step_cpu_seconds",
        "ours_over_this"}}, spreads over the rounds; the last one of images a
        second.
    """
    rates = {
        name: [run.images / run.wall_seconds for run in of_one]
        for name, of_one in runs.items()
    }
    return {
        name: {
            "images_per_second": measure.spread(rates[name]),
            "step_seconds": measure.spread(
                [batch_size * run.wall_seconds / run.images for run in of_one]
            ),
            "step_cpu_seconds": measure.spread(
                [batch_size * run.cpu_seconds / run.images for run in of_one]
            ),
            "ours_over_this": measure.ratio(
                rates[contenders.OURS], rates[name]
            ),
        }
        for name, of_one in runs.items()
    }


def _input(arguments, amounts):
    with turns.Worker(contenders.INPUT, arguments) as worker:
        seconds = worker.take(amounts.input_steps)
    images = amounts.input_steps * amounts.batch_size
    return {"images_per_second": images / seconds["wall_seconds"]}


def _begin_again(tasks, begun, amounts):
    for _ in range(amounts.begins - 1):
        for name, of_one in begun.items():
            of_one.append(turns.begin(*tasks[name]))


def summarise_begun(of_one, of_ours):
    """Seconds to the first step and megabytes of some new processes.

    Args:
        of_one: list of `Worker.begun`.
        of_ours: the same of ours.

    Returns:
        {"build", "first_step": seconds since the imports, "ours_over_this":
        of the first step, "imported_megabytes", "built_megabytes",
        "most_megabytes"}, spreads.
    """

    def seconds(begun, key):
        return [one[key]["wall_seconds"] for one in begun]

    megabytes = {
        key: measure.spread([one[key] for one in of_one])
        for key in of_one[0]
        if key.endswith("_megabytes")
    }
    return {
        "build": measure.spread(seconds(of_one, "build")),
        "first_step": measure.spread(seconds(of_one, "first_step")),
        "ours_over_this": measure.ratio(
            seconds(of_ours, "first_step"), seconds(of_one, "first_step")
        ),
        **megabytes,
    }


def _builds(amounts):
    """{row: spread of seconds} over new processes."""
    seconds = {name: [] for name in amounts.builds}
    for _ in range(amounts.begins):
        for name, (function, network) in amounts.builds.items():
            begun = turns.begin(
                f"benchmarks.keras_steps:{function}", {"name": network}
            )
            seconds[name].append(begun["build"]["wall_seconds"])
    return {name: measure.spread(of_one) for name, of_one in seconds.items()}


def _memory(amounts):
    """A dict for each of our networks, with and without rematerialisation."""
    rows = []
    for network in amounts.memory:
        for kept, choices in contenders.REMATERIALISATION.items():
            begun = turns.begin(*network.task(choices))
            rows.append({"network": str(network), "kept": kept, **begun})
    return rows
