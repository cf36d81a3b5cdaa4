"""Inference beside its peers: latency, start, size, memory of every file.

A contender is a file of an exported network in a runtime. All take the same
pictures, in the form that their network takes them, which is in memory before
the clock starts.
"""

import concurrent.futures
import pathlib
import shutil

import numpy as np
from benchmarks import measure
from benchmarks import photographs
from benchmarks import runner
from benchmarks.inference_networks import EXPORTERS
from benchmarks.inference_networks import FORMATS
from benchmarks.inference_networks import KERAS
from benchmarks.inference_networks import NETWORKS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import TORCHVISION
from benchmarks.inference_networks import Group
from benchmarks.inference_networks import rows
from benchmarks.inference_report import report as report
from benchmarks.runner import Contender

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "tf2onnx")
PACKAGES += ("onnxruntime", "openvino", "torch", "torchvision")
# How far probabilities may be from the network's, over their length, by what a
# file stores. Those of another network are 1 or more away.
BOUNDS = {"float16": 2e-2, "bfloat16": 0.2}
BOUNDS |= {"dynamic_int8": 0.7, "int8": 0.7}
FLOAT32_BOUND = 1e-3


_TOGETHER = (
    ("ResNet-50", "ResNet-50 v2"),
    ("ResNet-18", "ResNet-50 v1.5"),
    # One at a time: they are large.
    ("ResNet-152",),
    ("ResNet-152 v1.5",),
)
# Batch, threads, rounds and calls. Calls of a few milliseconds on both cores
# wait until what the contender before has started is quiet: more of them.
_SETTINGS = ((1, 1, 6, 4), (1, 2, 6, 16), (16, 1, 3, 1), (16, 2, 3, 1))
FULL = {
    "groups": [
        Group(names, *setting) for names in _TOGETHER for setting in _SETTINGS
    ],
    "begins": 2,  # new processes of each contender, of its first group
    "calibration": 16,  # pictures that show int8 files their ranges
    "image_size": 224,
    "choices": {},  # {library: what makes its networks small}
}
QUICK = {
    "groups": [
        Group(("ResNet-50",), 1, 2, 1, 1),
        Group(("ResNet-50 v2",), 2, 2, 1, 1),
        Group(("ResNet-18",), 1, 2, 1, 1),
    ],
    "begins": 1,
    "calibration": 2,
    "image_size": 32,
    "choices": {
        OURS: {"depths": (1, 1), "filters": (16, 32)},
        KERAS: {"depths": (2,)},  # fewer units give two layers one name
        TORCHVISION: {"depths": (1, 1, 1, 1)},
    },
}


def run(amounts, exports, say=print):
    """The record of a run; networks are exported into a folder of their own.

    Args:
        amounts: `FULL` or `QUICK`.
        exports: folder of those folders.
        say: what takes a line on the progress.
    """
    machine = measure.machine(*PACKAGES)
    networks, missing = export(amounts, exports, say)
    groups, starts = [], {}
    for group in amounts["groups"]:
        say(f"{', '.join(group.networks)}, {group.setting} ...")
        contenders = {
            row: contender(row, group, networks[row[:2]]["folder"])
            for row in rows(group)
            if row[:2] in networks
        }
        turns = runner.take_turns(
            contenders, rounds=group.rounds, steps=group.calls, say=say
        )
        missing |= {str(row): why for row, why in turns.missing.items()}
        groups.append(_summarise(group, turns.rounds))
        for row, begun in turns.begun.items():
            starts.setdefault(row, (contenders[row], [begun]))
    say("Starts ...")
    return {
        "benchmark": "inference",
        "machine": machine,
        "networks": {
            name: {
                "image_size": amounts["image_size"],
                "multiply_adds": {
                    library: made["multiply_adds"]
                    for (of, library), made in networks.items()
                    if of == name
                },
            }
            for name in dict.fromkeys(name for name, _ in networks)
        },
        "groups": groups,
        "starts": _starts(starts, amounts["begins"]),
        "missing": missing,
    }


def jobs(amounts):
    """{(network, library): arguments of its exporter} for all groups."""
    needed = {}
    for group in amounts["groups"]:
        for row in rows(group):
            needed.setdefault(row[:2], set()).add(_file(row, group))
    return {
        (name, library): {
            "name": NETWORKS[name].names[library],
            "files": sorted(files),
            "image_size": amounts["image_size"],
            "choices": amounts["choices"].get(library, {}),
            "calibration": amounts["calibration"],
        }
        for (name, library), files in needed.items()
    }


def _file(row, group):
    """Ours for LiteRT have one batch, as phones and browsers want it."""
    runtime, file, _ = FORMATS[row.format]
    if row.library == OURS and runtime == "litert":
        return file.replace(".", f".{group.batch}.")
    return file


def export(amounts, root, say=print):
    """Exports each network anew, in a process of its own.

    Returns:
        {(network, library): {"folder", "multiply_adds"}}, and {words: why
        there is none}.
    """
    root = pathlib.Path(root).resolve()
    root.mkdir(parents=True, exist_ok=True)
    count = max(group.batch for group in amounts["groups"])
    pictures, _ = photographs.patches(count, amounts["image_size"])
    np.save(root / "pictures.npy", pictures)
    missing = {}

    def one(key, job):
        folder = root / f"{job['name']} of {key[1]}"
        say(f"Exporting: {folder.name} ...")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        places = {"pictures": str(root / "pictures.npy"), "folder": str(folder)}
        try:
            begun = Contender(EXPORTERS[key[1]], {**job, **places}).begin()
        except RuntimeError as error:
            missing[": ".join(key)] = str(error).partition("\n")[0]
            say(f"Without {': '.join(key)}: {error}")
            return None
        return {"folder": folder, "multiply_adds": begun["result"]}

    todo = jobs(amounts)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, todo, todo.values()))
    return {k: d for k, d in zip(todo, done, strict=True) if d}, missing


def contender(row, group, folder):
    """The `Contender` that calls a row's file, of a folder of its network."""
    file, runtime = _file(row, group), FORMATS[row.format].runtime
    stored = file.partition(".")[0]
    if runtime == "openvino_default":
        stored = "bfloat16"
    arguments = {
        "runtime": runtime,
        "path": str(pathlib.Path(folder, file)),
        "folder": str(folder),
        "batch": group.batch,
        "threads": group.threads,
        "bound": BOUNDS.get(stored, FLOAT32_BOUND),
    }
    return Contender("benchmarks.runtimes:infer", arguments, group.batch)


def _summarise(group, rounds):
    """The figures of a group; milliseconds are of a call, one a round."""
    keys = {"milliseconds": "step_seconds"}
    keys["cpu_milliseconds"] = "step_cpu_seconds"
    return {
        "networks": group.networks,
        "setting": group.setting,
        "rounds": group.rounds,
        "calls": group.calls,
        "rows": [
            row._asdict()
            | {k: [1e3 * one[key] for one in of_one] for k, key in keys.items()}
            for row, of_one in rounds.items()
        ],
    }


def _starts(starts, begins):
    for _ in range(begins - 1):
        for one, begun in starts.values():
            begun.append(one.begin())
    return [
        {
            **row._asdict(),
            "bytes": _bytes(one.arguments["path"]),
            "begun": begun,
        }
        for row, (one, begun) in starts.items()
    ]


def _bytes(path):
    """The size of a file, or of all files of a directory."""
    path = pathlib.Path(path)
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
