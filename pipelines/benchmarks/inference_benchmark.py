"""Inference beside its peers: latency, start, size, memory of every file.

A contender is a file of an exported network in a runtime. All take the same
pictures, in the form that their network takes them, which is in memory before
the clock starts.
"""

import typing

from benchmarks import inference_files as files_lib
from benchmarks import measure
from benchmarks import photographs
from benchmarks import runner
from benchmarks.inference_networks import FORMATS
from benchmarks.inference_networks import NETWORKS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import SMALL
from benchmarks.inference_report import report as report
from benchmarks.runner import Contender

# How far probabilities may be from the network's, over their length, by what a
# file stores. Those of another network are 1 or more away.
BOUNDS = {"float16": 2e-2, "dynamic_int8": 0.7, "int8": 0.7}
FLOAT32_BOUND = 1e-3


class Group(typing.NamedTuple):
    """Contenders that take turns: those of some networks, in one setting."""

    networks: tuple  # keys of `NETWORKS`
    batch: int  # images of one call
    threads: int  # that compute
    rounds: int  # that count; a contender takes one turn in each
    calls: int  # timed ones of a turn

    @property
    def setting(self):
        """Words for a column of a table."""
        plural = "s" if self.threads > 1 else ""
        return f"batch {self.batch}, {self.threads} thread{plural}"


class Row(typing.NamedTuple):
    """A contender's place in the record."""

    network: str
    library: str
    format: str

    def __str__(self):
        return f"{self.network}: {self.library}, {self.format}"


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
        Group(networks, *setting)
        for networks in _TOGETHER
        for setting in _SETTINGS
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
    "choices": SMALL,
}


def run(amounts, exports, say=print):
    """The record of a run; exported networks are kept in `exports`."""
    machine = measure.machine(*files_lib.PACKAGES)
    count = max(group.batch for group in amounts["groups"])
    pictures, _ = photographs.patches(count, amounts["image_size"])
    folders, absent = files_lib.export(jobs(amounts), pictures, exports, say)
    missing = {f"{name}: {of}": why for (name, of), why in absent.items()}
    groups, starts = [], {}
    for group in amounts["groups"]:
        say(f"{', '.join(group.networks)}, {group.setting} ...")
        contenders = _contenders(group, folders)
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
        "networks": _networks(amounts, folders),
        "groups": groups,
        "starts": _starts(starts, amounts["begins"]),
        "missing": missing,
    }


def rows(group):
    """The contenders of a group: list of `Row`."""
    return [
        Row(name, library, of)
        for name in group.networks
        for of in NETWORKS[name].formats
        for library in FORMATS[of].libraries
        if library in NETWORKS[name].names
    ]


def jobs(amounts):
    """{(network, library): arguments of its exporter} for all groups."""
    needed = {}
    for group in amounts["groups"]:
        for row in rows(group):
            files = needed.setdefault((row.network, row.library), set())
            files.add((FORMATS[row.format].file, _batch(row, group)))
    return {
        (name, library): {
            "name": NETWORKS[name].names[library],
            "files": sorted(files, key=str),
            "image_size": amounts["image_size"],
            "choices": amounts["choices"].get(library, {}),
            "calibration": amounts["calibration"],
        }
        for (name, library), files in needed.items()
    }


def _batch(row, group):
    """The batch that a file is for; None for files of any batch.

    Ours for LiteRT have one, as phones and browsers want it.
    """
    fixed = row.library == OURS and FORMATS[row.format].runtime == "litert"
    return group.batch if fixed else None


def _contenders(group, folders):
    """{`Row`: `Contender`} of a group, of the networks that there are."""
    return {
        row: contender(row, group, folders[row.network, row.library])
        for row in rows(group)
        if (row.network, row.library) in folders
    }


def contender(row, group, folder):
    """The `Contender` that calls a row's file, of a folder of its network."""
    of = FORMATS[row.format]
    precision = of.file.partition(".")[0]
    arguments = {
        "runtime": of.runtime,
        "path": files_lib.path_of(folder, of.file, _batch(row, group)),
        "folder": str(folder),
        "batch": group.batch,
        "threads": group.threads,
        "bound": BOUNDS.get(precision, FLOAT32_BOUND),
    }
    return Contender("benchmarks.runtimes:infer", arguments, group.batch)


def _summarise(group, rounds):
    """The figures of a group; milliseconds are of a call, one a round."""
    return {
        "networks": group.networks,
        "setting": group.setting,
        "rounds": group.rounds,
        "calls": group.calls,
        "rows": [
            {
                **row._asdict(),
                "milliseconds": _milliseconds(of_one, "step_seconds"),
                "cpu_milliseconds": _milliseconds(of_one, "step_cpu_seconds"),
            }
            for row, of_one in rounds.items()
        ],
    }


def _milliseconds(rounds, name):
    return [1e3 * seconds for seconds in measure.of(rounds, name)]


def _starts(starts, begins):
    for _ in range(begins - 1):
        for one, begun in starts.values():
            begun.append(one.begin())
    return [
        {
            **row._asdict(),
            "bytes": files_lib.bytes_of(one.arguments["path"]),
            "begun": begun,
        }
        for row, (one, begun) in starts.items()
    ]


def _networks(amounts, folders):
    """{name: {"image_size", "multiply_adds": {library: int}}}."""
    found = {}
    for (name, library), folder in folders.items():
        facts = {"image_size": amounts["image_size"], "multiply_adds": {}}
        counts = found.setdefault(name, facts)["multiply_adds"]
        counts[library] = files_lib.multiply_adds(folder)
    return found
