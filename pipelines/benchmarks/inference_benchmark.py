"""Inference beside its peers: latency, start, size, memory of every file."""

import contextlib
import dataclasses
import pathlib
import tempfile

import numpy as np
from benchmarks import inference_contenders as contenders
from benchmarks import inference_files as files_lib
from benchmarks import input_benchmark
from benchmarks import measure
from benchmarks import photographs
from benchmarks import turns

# How far probabilities may be from the network's, over their length, by what a
# file stores. Those of another network are 1 or more away.
BOUNDS = {"float32": 1e-3, "float16": 2e-2, "int8": 0.7}

_FAILURES = (turns.NotInstalled, RuntimeError)


def run(amounts, root, say=print):
    """Measures everything.

    Args:
        amounts: `inference_contenders.Amounts`.
        root: folder where exported networks are kept.
        say: what takes a line on the progress.

    Returns:
        dict of figures, as JSON can hold it.
    """
    machine, root = input_benchmark.machine(), pathlib.Path(root).resolve()
    of_networks = files_lib.jobs(amounts)
    count = max(group.batch for group in amounts.groups)
    pictures = {
        size: photographs.patches(count, size)[0]
        for size in {job.image_size for job in of_networks.values()}
    }
    absent = files_lib.export(of_networks, pictures, root, say=say)
    missing = {f"{name}: {of}": why for (name, of), why in absent.items()}
    folders = {
        key: job.folder(root)
        for key, job in of_networks.items()
        if key not in absent
    }
    starts, groups = {}, []
    for group in amounts.groups:
        say(f"{', '.join(group.networks)}, {group.setting} ...")
        tasks = _tasks(amounts, group, folders)
        groups.append(_measure(amounts, group, tasks, starts, missing, say))
    say("Starts ...")
    _begin_again(starts, amounts.begins)
    return {
        "benchmark": "inference",
        "machine": {**machine, "packages": files_lib.versions()},
        "successor": list(amounts.successor),
        "networks": _networks(amounts, folders),
        "groups": [group for group in groups if group],
        "starts": [row for _, row in starts.values()],
        "missing": missing,
    }


def _networks(amounts, folders):
    """{name: {"image_size", "multiply_adds": {library: int}}}."""
    return {
        name: {
            "image_size": network.image_size,
            "multiply_adds": {
                library: files_lib.multiply_adds(folders[name, library])
                for library in network.names
                if (name, library) in folders
            },
        }
        for name, network in amounts.networks.items()
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A contender at work on one network.

    Attributes:
        network: its name.
        contender: `inference_contenders.Contender`.
        arguments: of `inference_runtimes.infer`, but for its answers.
        folder: of the network's files.
    """

    network: str
    contender: contenders.Contender
    arguments: dict
    folder: pathlib.Path

    def __str__(self):
        return f"{self.network}: {self.contender}"

    def start(self, answers=None):
        """`turns.Worker` of a new process."""
        arguments = {**self.arguments, "answers": answers}
        return turns.Worker("benchmarks.inference_runtimes:infer", arguments)


def _tasks(amounts, group, folders):
    """`Task`s of a group, of the networks that there are."""
    tasks = []
    for name, contender in contenders.of_group(amounts, group):
        folder = folders.get((name, contender.library))
        if folder is not None:
            batch = files_lib.batch_of(contender, group.batch)
            arguments = {
                "runtime": contender.runtime,
                "path": files_lib.path_of(folder, contender.file, batch),
                "pixels": str(folder / "pixels.npy"),
                "batch": group.batch,
                "threads": group.threads,
            }
            tasks.append(Task(name, contender, arguments, folder))
    return tasks


def _measure(amounts, group, tasks, starts, missing, say):
    """The figures of a group, or None; `starts` and `missing` are added to."""
    rounds = amounts.rounds[group.batch]
    calls = amounts.calls[group.batch, group.threads]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        workers = {}
        for task in tasks:
            try:
                workers[task] = _start(task, stack, folder, starts)
            except _FAILURES as error:
                say(f"  Without {task}: {error}")
                missing[str(task)] = str(error)
        if not workers:
            return None
        say(f"  {len(workers)} contenders in turns ...")
        spent = turns.Spent()
        runs = measure.alternate(
            {
                task: spent.turn(worker, calls, group.batch)
                for task, worker in workers.items()
            },
            rounds=rounds,
            clocks=spent.clocks,
        )
    return {
        "networks": list(group.networks),
        "setting": group.setting,
        "rounds": rounds,
        "calls": calls,
        "rows": [
            {**_names(task), **summarise(of_one, group.batch)}
            for task, of_one in runs.items()
        ],
    }


def _start(task, stack, folder, starts):
    """A worker that has answered rightly; `starts` keeps the first one's."""
    path = str(pathlib.Path(folder, "answers.npy"))
    worker = stack.enter_context(task.start(path))
    distance = check(task, np.load(path))
    if str(task) not in starts:
        row = {
            **_names(task),
            "distance": distance,
            "bytes": files_lib.bytes_of(task.arguments["path"]),
            "begun": [worker.begun],
        }
        starts[str(task)] = task, row
    return worker


def _names(task):
    contender = task.contender
    return {
        "network": task.network,
        "library": contender.library,
        "format": contender.format,
    }


def summarise(runs, batch):
    """Milliseconds of a call in each round, of the wall's and of the CPU's.

    Args:
        runs: list of `measure.Run`.
        batch: images of a call.

    Returns:
        {"milliseconds", "cpu_milliseconds"}: lists, a number a round.
    """
    return {
        "milliseconds": [
            1e3 * batch * run.wall_seconds / run.images for run in runs
        ],
        "cpu_milliseconds": [
            1e3 * batch * run.cpu_seconds / run.images for run in runs
        ],
    }


def check(task, answers):
    """How far a contender's probabilities are from its network's.

    The speed of a file that computes something else would be worth nothing.

    Args:
        task: `Task`.
        answers: float32 (B, K), what it made of the first B pictures.

    Returns:
        float, the distance over the length of what the network gives.

    Raises:
        RuntimeError: if it is more than `BOUNDS` allow.
    """
    expected = np.load(task.folder / "expected.npy")[: len(answers)]
    distance = np.linalg.norm(answers - expected) / np.linalg.norm(expected)
    precision = task.contender.file.rpartition("_")[-1]
    bound = BOUNDS.get(precision, BOUNDS["float32"])
    if not distance <= bound:  # not `>`: NaN must not pass
        raise RuntimeError(
            f"{task} computes something else than its network: by "
            f"{distance:.2g} of the probabilities, more than {bound}."
        )
    return float(distance)


def _begin_again(starts, begins):
    for _ in range(begins - 1):
        for task, row in starts.values():
            with task.start() as worker:
                row["begun"].append(worker.begun)
