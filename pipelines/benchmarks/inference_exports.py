"""The files of the networks whose inference is measured."""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil

import numpy as np
from benchmarks import measure
from benchmarks import photographs
from benchmarks import records
from benchmarks.inference_networks import EXPORTERS
from benchmarks.inference_networks import FORMATS
from benchmarks.inference_networks import NETWORKS
from benchmarks.inference_networks import OURS
from benchmarks.inference_networks import rows
from benchmarks.runner import Contender

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "tf2onnx")
PACKAGES += ("onnxruntime", "openvino", "torch", "torchvision")


def jobs(amounts):
    """{(network, library): arguments of its exporter} for all groups."""
    needed = {}
    for group in amounts["groups"]:
        for row in rows(group):
            needed.setdefault(row[:2], set()).add(file_of(row, group))
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


def file_of(row, group):
    """A row's file; ours for LiteRT have one batch size, as phones want it."""
    runtime, file, _ = FORMATS[row.format]
    if row.library == OURS and runtime == "litert":
        return file.replace(".", f".{group.batch}.")
    return file


def export(amounts, root, say=print, names=None, anew=True):
    """Exports networks, each in a process of its own.

    Args:
        amounts: see `inference_benchmark.FULL`.
        root: folder of the networks' folders.
        say: function that takes a line of progress.
        names: of networks. Default: all that `amounts` needs.
        anew: whether networks of this version are exported again too.

    Returns:
        {(network, library): {"folder", "multiply_adds"}}, and {words for a
        network: why it could not be exported}.
    """
    root = pathlib.Path(root).resolve()
    root.mkdir(parents=True, exist_ok=True)
    count = max(group.batch for group in amounts["groups"])
    pictures, _ = photographs.patches(count, amounts["image_size"])
    np.save(root / "pictures.npy", pictures)
    missing = {}

    def one(key, job):
        folder = root / f"{job['name']} of {key[1]}"
        made = None if anew else _kept(folder, job)
        made = made or _made(folder, key, job, root / "pictures.npy", say)
        if "why" in made:
            missing[": ".join(key)] = made["why"]
            return None
        return {"folder": folder, "multiply_adds": made["multiply_adds"]}

    todo = {
        key: job
        for key, job in jobs(amounts).items()
        if names is None or key[0] in names
    }
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, todo, todo.values()))
    return {k: d for k, d in zip(todo, done, strict=True) if d}, missing


def _version(job):
    """What must match for existing files to be those that a job would make."""
    version = records.key(measure.machine(*PACKAGES))
    return {"job": json.loads(json.dumps(job)), "version": version}


def _kept(folder, job):
    """What `_made` noted in a folder, if it is of this version."""
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        if {k: noted.get(k) for k in ("job", "version")} == _version(job):
            return noted
    return None


def _made(folder, key, job, pictures, say):
    """Exports a network: {"multiply_adds"}, or {"why"} it cannot be."""
    say(f"Exporting: {folder.name} ...")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    places = {"pictures": str(pictures), "folder": str(folder)}
    try:
        begun = Contender(EXPORTERS[key[1]], {**job, **places}).begin()
        made = {"multiply_adds": begun["result"]}
    except RuntimeError as error:
        made = {"why": str(error).partition("\n")[0]}
        say(f"Without {': '.join(key)}: {error}")
    noted = json.dumps({**_version(job), **made})
    (folder / "made.json").write_text(noted, encoding="utf-8")
    return made
