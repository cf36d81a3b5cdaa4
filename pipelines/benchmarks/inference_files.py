"""The files of the inference benchmark, each exported once and kept.

A network's files are in a folder of their own:

    saved_model, tflite_int8_batch16.tflite, ...: the files
    pixels.npy: float32 (N, ...), pictures in the form that the network takes
    expected.npy: float32 (N, K), its probabilities before the conversion
    facts.json: what it is, and of which code
"""

import concurrent.futures
import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import shutil

import numpy as np
from benchmarks import inference_contenders as contenders
from benchmarks import turns

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

_EXPORT = {
    contenders.OURS: "benchmarks.inference_networks:ours",
    contenders.KERAS: "benchmarks.inference_networks:keras_applications",
    contenders.TORCHVISION: "benchmarks.torch_networks:export",
}
# Whose work decides what is in a file.
_SOURCES = (
    "keras_resnet/**/*.py",
    "pipelines/benchmarks/*_networks.py",
    "pipelines/benchmarks/inference_files.py",
)
_ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """All files of one library's network.

    Attributes:
        library: as `inference_contenders` names it.
        name: the library's own, of the network.
        choices: what makes it small.
        image_size: pixels.
        files: (key of `inference_contenders.SUFFIXES`, batch or None), sorted.
        calibration: how many pictures int8 is calibrated with.
    """

    library: str
    name: str
    choices: dict
    image_size: int
    files: tuple
    calibration: int

    def folder(self, root):
        """Where the files are, under the folder of all."""
        name = f"{self.name} of {self.library}, {self.image_size} px"
        return pathlib.Path(root, name)


def batch_of(contender, batch):
    """The batch that a contender's file is for; None for files of any batch.

    Ours for LiteRT have one, as phones and browsers want it.
    """
    fixed = contender.library == contenders.OURS
    return batch if fixed and contender.runtime == "litert" else None


def jobs(amounts):
    """{(name of the network, library): `Job`} for all groups."""
    needed = {}
    for group in amounts.groups:
        for name, contender in contenders.of_group(amounts, group):
            files = needed.setdefault((name, contender.library), set())
            files.add((contender.file, batch_of(contender, group.batch)))
    return {
        (name, library): Job(
            library=library,
            name=amounts.networks[name].names[library],
            choices=amounts.networks[name].choices.get(library, {}),
            image_size=amounts.networks[name].image_size,
            files=tuple(sorted(files, key=str)),
            calibration=amounts.calibration,
        )
        for (name, library), files in needed.items()
    }


def export(of_networks, pictures, root, *, at_once=2, say=print):
    """Exports what is not there yet, each network in a process of its own.

    Args:
        of_networks: {(name, library): `Job`}.
        pictures: uint8 (N, S, S, 3), for each image size S: {S: array}.
        root: folder of all folders, made if missing.
        at_once: networks that are converted at the same time.
        say: what takes a line on the progress.

    Returns:
        {(name, library): why it is missing}.
    """
    root = pathlib.Path(root)
    root.mkdir(parents=True, exist_ok=True)
    missing = {}
    for size, images in pictures.items():
        np.save(_pictures(root, size), images)
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        waiting = {}
        for key, job in of_networks.items():
            mark = _mark(job, pictures[job.image_size])
            if _facts(job.folder(root)).get("mark") != mark:
                say(f"Exporting: {job.name} of {job.library} ...")
                waiting[key] = pool.submit(_export, job, root, mark)
        for key, result in waiting.items():
            try:
                result.result()
            except (turns.NotInstalled, RuntimeError) as error:
                say(f"Without {key[0]} of {key[1]}: {error}")
                missing[key] = str(error)
    return missing


def _export(job, root, mark):
    folder = job.folder(root)
    beside = folder.with_name(f"{folder.name}.unfinished")
    for path in (folder, beside):
        shutil.rmtree(path, ignore_errors=True)
    beside.mkdir()
    arguments = {
        "name": job.name,
        "image_size": job.image_size,
        "choices": job.choices,
        "pictures": str(_pictures(root, job.image_size)),
        "files": job.files,
        "folder": str(beside),
        "calibration": job.calibration,
    }
    turns.begin(_EXPORT[job.library], arguments)
    facts = beside / "facts.json"
    facts.write_text(json.dumps({**_facts(beside), "mark": mark}))
    beside.rename(folder)


def _pictures(root, size):
    return root / f"pictures_{size}.npy"


def _facts(folder):
    path = pathlib.Path(folder, "facts.json")
    return json.loads(path.read_text()) if path.is_file() else {}


def _mark(job, images):
    """sha256 of all that decides what a network's files are."""
    of_all = hashlib.sha256(repr(job).encode())
    of_all.update(repr(versions()).encode())
    of_all.update(images.tobytes())
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            of_all.update(path.read_bytes())
    return of_all.hexdigest()


def versions():
    """{package: version} of those of `PACKAGES` that are installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def path_of(folder, file, batch=None):
    """Where a file is, str; `batch` as `batch_of` gives it."""
    name = file if batch is None else f"{file}_batch{batch}"
    return str(pathlib.Path(folder, name + contenders.SUFFIXES[file]))


def bytes_of(path):
    """The size of a file, or of all files of a directory."""
    path = pathlib.Path(path)
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def multiply_adds(folder):
    """Those of one image, of the network of a folder."""
    return _facts(folder)["multiply_adds"]


def describe(folder, pixels, probabilities, multiply_adds):
    """Writes beside the files what the benchmark must know.

    Args:
        folder: path.
        pixels: float32 (N, ...), as the network takes them.
        probabilities: float32 (N, K), of the network before its conversion.
        multiply_adds: int, of one image.
    """
    folder = pathlib.Path(folder)
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "expected.npy", probabilities)
    facts = {"multiply_adds": multiply_adds}
    (folder / "facts.json").write_text(json.dumps(facts))
