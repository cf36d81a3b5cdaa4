"""A page that runs the network in a browser: a folder of static files."""

import json
import os
import pathlib
import shutil
from collections.abc import Sequence

import keras

from keras_resnet.errors import require
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import targets
from keras_resnet.export.writers import web_model
from keras_resnet.inference.artifact import SERVICE_WORKER
from keras_resnet.inference.artifact import WEB_MODEL
from keras_resnet.inference.artifact import Artifact
from keras_resnet.inference.artifact import sha256
from keras_resnet.labels.cards import Card

PAGE = pathlib.Path(__file__).with_name("web_page")
RUNTIME = "litert_js"
SAMPLES = "samples"

# Where service_worker.js gets the names and checksums of all other files.
_NO_FILES = "const FILES = {};"


def export_web(
    model: keras.Model | serving.Network,
    path: str | os.PathLike,
    *,
    card: Card,
    runtime: str | os.PathLike | None = None,
    samples: Sequence[str | os.PathLike] = (),
) -> Artifact:
    """Folds a model and writes it as a page, for any static server.

    The page classifies a picture that a person drops, picks, pastes or takes,
    in the browser: it asks no other server, and after the first visit none at
    all. It resizes and crops as `transforms.evaluation` does, and draws where
    it sees a class. `keras-resnet serve_web PATH` shows it.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy, or
            the `serving.Network` that an export of several formats shares.
        path: of the folder; an earlier one is replaced once complete.
        card: `keras_resnet.labels.cards.Card` of the model.
        runtime: folder of an unpacked LiteRT.js. Default: the one that npm
            has fetched into the cache, or fetches now.
        samples: paths of image files that the page offers to try.

    Returns:
        `Artifact` of the format "web".

    Raises:
        keras_resnet.UsageError: if the network does not end in the layers that
            a page needs, a sample is missing, or the runtime is neither
            installed nor downloadable: before any work.
    """
    network = serving.Network.of(model, card)
    web_model.check(network.model)
    targets.check(path, "web")
    files = [pathlib.Path(sample) for sample in samples]
    for file in files:
        require(file.is_file(), f"There is no sample {str(file)!r}.")
    runtime_files = litert_js.files(runtime)
    content, map_size = web_model.convert(network)
    with targets.replacing_network(path) as beside:
        shutil.copytree(PAGE, beside)
        (beside / WEB_MODEL).write_bytes(content)
        network.card.public().save(beside)
        _write_runtime(beside / RUNTIME, runtime_files)
        _write_page(beside, _copy_samples(beside / SAMPLES, files), content)
        list_files(beside)
    shape = [1, *map_size, len(network.card.class_names)]
    maps = {web_model.CLASS_MAPS: {"dtype": "float32", "shape": shape}}
    return manifest.describe(path, network, format="web", batch=1, outputs=maps)


def _write_runtime(folder, files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _copy_samples(folder, samples):
    """Copies files to names that every server and browser takes as they are.

    Returns:
        list of {"file": path within the page, "name": of the original}.
    """
    folder.mkdir()
    rows = []
    for number, sample in enumerate(samples):
        name = f"{number:02d}{sample.suffix.lower()}"
        shutil.copyfile(sample, folder / name)
        rows.append({"file": f"{folder.name}/{name}", "name": sample.stem})
    return rows


def _write_page(folder, samples, content):
    fields = {"model_bytes": len(content), "samples": samples}
    (folder / "page.json").write_text(json.dumps(fields, indent=2) + "\n")


def list_files(folder):
    """Writes the names and checksums of a page's files into its script.

    A browser keeps those files, and `serve_web` gives no others.

    Args:
        folder: a copy of `PAGE` with all that belongs to the page.
    """
    files = {
        file.relative_to(folder).as_posix(): {
            "sha256": sha256(file),
            "bytes": file.stat().st_size,
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != SERVICE_WORKER
    }
    source = (PAGE / SERVICE_WORKER).read_text(encoding="utf-8")
    if source.count(_NO_FILES) != 1:
        raise RuntimeError(f"{SERVICE_WORKER} must have {_NO_FILES!r} once.")
    table = f"const FILES = {json.dumps(files, indent=2)};"
    source = source.replace(_NO_FILES, table)
    (folder / SERVICE_WORKER).write_text(source, encoding="utf-8")
