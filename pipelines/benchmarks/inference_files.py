"""The files of the inference benchmark, each exported once and kept.

A network's files are in a folder of their own:

    saved_model, int8_batch16.tflite, ...: the files
    pixels.npy: float32 (N, ...), pictures in the form that the network takes
    expected.npy: float32 (N, K), its probabilities before the conversion
    facts.json: its multiply-adds, and a mark of the code that made it
"""

import concurrent.futures
import hashlib
import json
import pathlib
import shutil

import numpy as np
from benchmarks import measure
from benchmarks.runner import Contender

PACKAGES = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tf2onnx",
    "onnxruntime",
    "openvino",
    "torch",
    "torchvision",
)
CLASSES = 1000
# Standard deviation of the logits of all networks: some classes are more
# probable than 1/256, the least that a full int8 file can say.
SPREAD = 3.0

EXPORTERS = {
    "ours": "benchmarks.keras_files:ours",
    "keras.applications": "benchmarks.keras_files:keras_applications",
    "torchvision": "benchmarks.torch_files:torchvision",
}
_ROOT = pathlib.Path(__file__).resolve().parents[2]
# Whose work decides what is in a file.
_SOURCES = ("keras_resnet/**/*.py", "pipelines/benchmarks/*_files.py")
_AT_ONCE = 2


def export(jobs, pictures, root, say=print):
    """Exports what is not there yet, each network in a process of its own.

    Args:
        jobs: {(network, library): first arguments of its exporter}.
        pictures: uint8 (N, S, S, 3), S the image size of all.
        root: folder of all folders, made if missing.
        say: what takes a line on the progress.

    Returns:
        {(network, library): folder} and {(network, library): why there is
        none}.
    """
    root = pathlib.Path(root).resolve()
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / "pictures.npy", pictures)
    missing = {}

    def one(key):
        try:
            return _export(key, jobs[key], pictures, root, say)
        except RuntimeError as error:
            missing[key] = str(error).partition("\n")[0]
            say(f"Without {key[0]} of {key[1]}: {error}")

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        folders = dict(zip(jobs, pool.map(one, jobs), strict=True))
    return {key: path for key, path in folders.items() if path}, missing


def _export(key, job, pictures, root, say):
    name = f"{job['name']} of {key[1]}, {job['image_size']} px"
    folder, mark = root / name, _mark(job, pictures)
    if _facts(folder).get("mark") == mark:
        return folder
    say(f"Exporting: {name} ...")
    unfinished = root / f"{name}.unfinished"
    for path in (folder, unfinished):
        shutil.rmtree(path, ignore_errors=True)
    unfinished.mkdir()
    places = {"pictures": str(root / "pictures.npy"), "folder": str(unfinished)}
    begun = Contender(EXPORTERS[key[1]], {**job, **places}).begin()
    facts = {"multiply_adds": begun["result"], "mark": mark}
    (unfinished / "facts.json").write_text(json.dumps(facts))
    return unfinished.rename(folder)


def _facts(folder):
    path = pathlib.Path(folder, "facts.json")
    return json.loads(path.read_text()) if path.is_file() else {}


def _mark(job, pictures):
    """sha256 of all that decides what a network's files are."""
    of_all = hashlib.sha256(repr(job).encode())
    of_all.update(repr(measure.versions(PACKAGES)).encode())
    of_all.update(pictures.tobytes())
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            of_all.update(path.read_bytes())
    return of_all.hexdigest()


def path_of(folder, file, batch=None):
    """Where a file is, str; a `batch` is that of a file of no other."""
    path = pathlib.Path(folder, file)
    if batch is not None:
        path = path.with_stem(f"{path.stem}_batch{batch}")
    return str(path)


def bytes_of(path):
    """The size of a file, or of all files of a directory."""
    path = pathlib.Path(path)
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def multiply_adds(folder):
    """Those of one image, of the network of a folder."""
    return _facts(folder)["multiply_adds"]


def save(folder, pixels, probabilities):
    """Writes what goes into a network's files, and what must come out."""
    np.save(pathlib.Path(folder, "pixels.npy"), pixels)
    np.save(pathlib.Path(folder, "expected.npy"), probabilities)
