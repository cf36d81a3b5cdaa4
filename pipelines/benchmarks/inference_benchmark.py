"""Inference beside its peers: latency, start, size, memory of every file.

A contender is a file of an exported network in a runtime. All take the same
pictures, in the form that their network takes. The pictures are in memory
before the clock starts.
"""

import functools
import pathlib

from benchmarks import runner
from benchmarks.inference_exports import PACKAGES as PACKAGES
from benchmarks.inference_exports import export
from benchmarks.inference_exports import file_of
from benchmarks.inference_networks import FORMATS
from benchmarks.inference_networks import KERAS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import TORCHVISION
from benchmarks.inference_networks import Group
from benchmarks.inference_networks import rows
from benchmarks.inference_report import report as report
from benchmarks.runner import Contender

# The largest distance from the network's probabilities, relative to their norm,
# by what a file stores. Another network's probabilities are 1 or more away.
BOUNDS = {"float16": 2e-2, "bfloat16": 0.2}
BOUNDS |= {"dynamic_int8": 0.7, "int8": 0.7}
FLOAT32_BOUND = 1e-3


_TOGETHER = (("ResNet-50", "ResNet-50 v2"), ("ResNet-18", "ResNet-50 v1.5"))
# Batch, threads, rounds and calls: three rounds keep a group below ten minutes.
# Calls of a few milliseconds on both cores wait until what the previous
# contender started is quiet, so there are more of them.
_SETTINGS = ((1, 1, 3, 4), (1, 2, 3, 16), (8, 1, 3, 1), (8, 2, 3, 1))
FULL = {
    "groups": [
        Group(names, *setting) for names in _TOGETHER for setting in _SETTINGS
    ],
    "begins": 2,  # new processes of each contender, in its first group
    "calibration": 16,  # pictures that show int8 files their ranges
    "image_size": 224,
    "choices": {},  # {library: what makes its networks small}
}
SHORT = {**FULL, "groups": [Group(("ResNet-18",), 1, 2, 3, 8)], "begins": 1}
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


def groups(amounts, exports, say=print):
    """{group: () -> its part of the figures}.

    NETWORK/export writes the files of some networks, each into a folder of its
    own. NETWORK/BATCHxTHREADS measures them; it writes them first if they are
    not of this version.

    Args:
        amounts: `FULL`, `SHORT` or `QUICK`.
        exports: folder of those folders.
        say: function that takes a line of progress.
    """
    found = {}
    for group in amounts["groups"]:
        name = group.networks[0].replace(" ", "_")
        begins = 1 if f"{name}/export" in found else amounts["begins"]
        found.setdefault(
            f"{name}/export",
            functools.partial(_written, amounts, exports, group.networks, say),
        )
        found[f"{name}/{group.batch}x{group.threads}"] = functools.partial(
            _measured, group, amounts, exports, begins, say
        )
    return found


def _written(amounts, exports, names, say):
    """Writes the files of networks anew; returns what could not be written."""
    return {"missing": export(amounts, exports, say, names)[1]}


def _measured(group, amounts, exports, begins, say):
    networks, missing = export(
        amounts, exports, say, group.networks, anew=False
    )
    contenders = {
        row: contender(row, group, networks[row[:2]]["folder"])
        for row in rows(group)
        if row[:2] in networks
    }
    turns = runner.take_turns(
        contenders, rounds=group.rounds, steps=group.calls, say=say
    )
    starts = {row: (contenders[row], [b]) for row, b in turns.begun.items()}
    return {
        "networks": _facts(networks, amounts),
        "groups": [_summarise(group, turns.rounds)],
        "starts": _starts(starts, begins),
        "missing": missing | {str(r): why for r, why in turns.missing.items()},
    }


def _facts(networks, amounts):
    return {
        name: {
            "image_size": amounts["image_size"],
            "multiply_adds": {
                library: made["multiply_adds"]
                for (of, library), made in networks.items()
                if of == name
            },
        }
        for name in dict.fromkeys(name for name, _ in networks)
    }


def contender(row, group, folder):
    """The `Contender` that calls a row's file in the folder of its network."""
    file, runtime = file_of(row, group), FORMATS[row.format].runtime
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
    """The figures of a group: milliseconds of a call, one value per round."""
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
