"""The folder of a page: what is in it, and what is refused."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import keras
import numpy as np
import odd_images
import pages
import pytest
import web_networks

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.export import formats
from keras_resnet.export import pipeline
from keras_resnet.export.folding.float32 import float32_copy
from keras_resnet.export.verification import isolated
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import web
from keras_resnet.export.writers import web_model
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.inference import predictors
from keras_resnet.inference import runtime
from keras_resnet.inference.artifact import WEB_MODEL
from keras_resnet.inference.artifact import sha256

ROOT = pages.SERVE.parents[1]

# Each placement ends in another layer before the pooling.
NETWORKS = {
    "original": {},
    "full_preact": {"placement": "full_preact", "dtype": "mixed_bfloat16"},
    "any size": {"input_shape": (None, None, 3)},
}


def _make_package(folder, monkeypatch):
    """A small package in the place of LiteRT.js, laid out as npm does it."""
    core = folder / "node_modules" / litert_js.CORE
    rows = {}
    for name, (owner, path, _) in litert_js.FILES.items():
        content = f"{name} {litert_js.IMPORT[0].decode()}".encode()
        file = core.parent.parent / owner / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        rows[name] = (owner, path, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(litert_js, "FILES", rows)
    monkeypatch.setenv("KERAS_HOME", str(folder / "keras"))
    return core


@pytest.fixture
def package(tmp_path, monkeypatch):
    return _make_package(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def model():
    return web_networks.network()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    sample = root / "03_label-vier ü.PNG"
    sample.write_bytes(odd_images.encode(odd_images.photograph(), "PNG"))
    card = dataclasses.replace(
        web_networks.card_of(model), dataset="folder:/home/me/photographs"
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        package = _make_package(root / "package", monkeypatch)
        artifact = web.export_web(
            model, root / "web", card=card, runtime=package, samples=[sample]
        )
    return root / "web", artifact


def test_an_export_of_all_formats_folds_and_proves_once(
    model, package, tmp_path, monkeypatch
):
    """The formats share one network; a writer that is called alone has its."""
    done = []
    for owner, name in ((serving, "fold"), (serving.proof, "check")):
        monkeypatch.setattr(owner, name, _counted(getattr(owner, name), done))
    card = web_networks.card_of(model)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    artifacts = pipeline.export_all(
        model,
        tmp_path / "all",
        card=card,
        formats=list(formats.FORMATS),
        images=images,
        labels=[0] * len(images),
        options=formats.Options(litert_js=package, calibration=images),
        predict=isolated.predict,
    )
    assert len(artifacts) == len(formats.FORMATS) == 8
    assert done == ["fold", "check"]
    export_onnx(model, tmp_path / "alone.onnx", card=card)
    assert done == ["fold", "check"] * 2


def _counted(function, done):
    def counting(*arguments):
        done.append(function.__name__)
        return function(*arguments)

    return counting


# What is written.


@pytest.mark.parametrize("choices", NETWORKS.values(), ids=NETWORKS)
def test_the_network_of_the_page_is_the_model(choices, tmp_path):
    model = web_networks.network(**choices)
    card = web_networks.card_of(model)
    content, map_size = web_model.convert(serving.Network(model, card))
    (tmp_path / WEB_MODEL).write_bytes(content)
    predictor = predictors.WebPredictor(tmp_path)
    assert (predictor.image_size, predictor.num_classes) == (32, 7)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    copy = float32_copy(model)
    expected = copy.predict_on_batch(images)
    assert expected.std() > 0.05  # not 1 / K whatever the input
    actual = predictor.predict(images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    # The mean of a class's map, and its bias, are its logit.
    maps = np.concatenate(
        [
            predictor._runner(images=image[None])["class_maps"]
            for image in images
        ]
    )
    assert maps.shape == (3, *map_size, 7) == (3, 8, 8, 7)
    logits = maps.mean((1, 2)) + copy.get_layer("logits").bias.numpy()
    probabilities = keras.ops.softmax(logits)
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-6)
    heat = np.maximum(maps[..., 4], 0)
    heat /= heat.max(axis=(1, 2), keepdims=True)
    resized = keras.ops.image.resize(heat[..., None], (32, 32))[..., 0]
    grad_cam = explain.grad_cam(copy, images, [4, 4, 4])
    np.testing.assert_allclose(resized, grad_cam, rtol=0, atol=1e-4)


def test_the_folder_is_complete(exported):
    folder, artifact = exported
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")}
    page = {path.name for path in web.PAGE.iterdir()}
    runtime_files = {f"litert_js/{name}" for name in litert_js.FILES}
    assert names | {"LICENSE"} == page | runtime_files | {
        "card.json",
        "labels.txt",
        "model.tflite",
        "page.json",
        "samples/00.png",
    }
    assert (folder / "labels.txt").read_text().split("\n")[4] == "fünf"
    assert json.loads((folder / "page.json").read_text()) == {
        "model_bytes": (folder / "model.tflite").stat().st_size,
        "samples": [{"file": "samples/00.png", "name": "03_label-vier ü"}],
    }
    assert (artifact.format, artifact.precision) == ("web", "float32")
    assert artifact.sha256 == sha256(folder)
    assert artifact.signature == {
        "inputs": {"images": {"dtype": "float32", "shape": [1, 32, 32, 3]}},
        "outputs": {
            "probabilities": {"dtype": "float32", "shape": [1, 7]},
            "class_maps": {"dtype": "float32", "shape": [1, 8, 8, 7]},
        },
    }


def test_no_file_tells_where_the_data_are(exported):
    folder, _ = exported
    for path in folder.rglob("*.*"):
        assert path.is_dir() or b"/home/me" not in path.read_bytes(), path
    card = json.loads((folder / "card.json").read_text())
    assert card["dataset"] == "folder:photographs"


def test_it_is_loaded_as_an_artifact(exported, model):
    folder, _ = exported
    predictor = runtime.load(folder)
    assert predictor.format == "web"
    images = np.full((2, 32, 32, 3), 100, np.uint8)
    expected = model.predict_on_batch(images.astype(np.float32))
    actual = predictor.predict(images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_the_service_worker_knows_every_file(exported):
    folder, _ = exported
    script = (folder / "service_worker.js").read_text()
    table = re.search(r"^const FILES = (\{.*?^\});", script, re.M | re.S)
    files = json.loads(table[1])
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == len(paths) - 1  # not itself
    for name, row in files.items():
        assert row["sha256"] == sha256(folder / name)
        assert row["bytes"] == (folder / name).stat().st_size


def test_the_runtime_is_named_with_its_licence(exported):
    folder, _ = exported
    notice = (folder / "litert_js/NOTICE").read_text()
    assert "Apache License 2.0" in notice
    assert "index.js has been changed" in notice
    licence = (ROOT / "LICENSE").read_bytes()
    assert (folder / "LICENSE").read_bytes() == licence
    # The one change.
    index = (folder / "litert_js/index.js").read_text()
    assert index == 'index.js from "./wasm_utils.js"'


def test_no_file_of_the_page_names_another_host():
    for path in web.PAGE.iterdir():
        if path.name != "LICENSE":
            hosts = re.findall(
                r"(?:https?:)?//[\w-]+\.\w[\w./]*", path.read_text()
            )
            assert set(hosts) <= {"http://www.w3.org/2000/svg"}, path


# What is refused.


def test_an_altered_runtime_is_refused(package):
    assert set(litert_js.files(package)) == {*litert_js.FILES, "NOTICE"}
    name = "litert_wasm_compat_internal.wasm"
    file = package / litert_js.FILES[name][1]
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(
        UsageError, match=f"{name}' is not the file of .*sha256"
    ):
        litert_js.files(package)
    file.unlink()
    with pytest.raises(UsageError, match=f"There is no wasm/{name} of .*npm"):
        litert_js.files(package)


def test_the_pins_are_whole():
    assert re.fullmatch(r"\d+\.\d+\.\d+", litert_js.VERSION)
    for _, _, pin in litert_js.FILES.values():
        assert re.fullmatch("[0-9a-f]{64}", pin)


def _npm(folder, script):
    """A program in the place of npm, as the only one on the path."""
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text(f"#!{sys.executable}\n{script}")
    npm.chmod(0o755)
    return str(folder)


def test_npm_fills_the_cache_once(package, tmp_path, monkeypatch):
    script = f"""
import os, pathlib, shutil, sys, tarfile
assert sys.argv[1:3] == ["pack", "--ignore-scripts"], sys.argv
name, _, version = sys.argv[3].rpartition("@")
source = pathlib.Path({str(package)!r}).parent.parent / name
archive = name[1:].replace("/", "-") + "-" + version + ".tgz"
with tarfile.open(archive, "w:gz") as files:
    files.add(source, "package")
"""
    monkeypatch.setenv("PATH", _npm(tmp_path / "bin", script))
    fetched = litert_js.files()
    assert fetched == litert_js.files(package)
    (tmp_path / "bin/npm").unlink()
    assert litert_js.files() == fetched
    # A file that is damaged in the cache is not used.
    (cached,) = (tmp_path / "keras").rglob("litert_wasm_compat*.wasm")
    cached.write_bytes(b"damaged")
    with pytest.raises(UsageError, match="is not the file of"):
        litert_js.files()


def test_a_missing_or_failing_npm_is_explained(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = (
        "needs LiteRT.js 2.5.3.*npm cannot be run: .*Install npm.*"
        "npm install --ignore-scripts @litertjs/core@2.5.3.*--litert_js="
    )
    with pytest.raises(UsageError, match=message):
        litert_js.files()
    script = "import sys; sys.exit('npm error ENOTFOUND')"
    monkeypatch.setenv("PATH", _npm(tmp_path / "bin", script))
    with pytest.raises(UsageError, match="npm failed: npm error ENOTFOUND"):
        litert_js.files()
    assert not list((tmp_path / "keras").rglob("*.js"))


def test_nothing_is_written_before_all_is_there(model, package, tmp_path):
    folder = tmp_path / "web"
    card = web_networks.card_of(model)
    shutil.rmtree(package / "wasm")
    with pytest.raises(UsageError, match="There is no wasm/"):
        web.export_web(model, folder, card=card, runtime=package)
    with pytest.raises(UsageError, match="There is no sample '.*gone.png'"):
        web.export_web(model, folder, card=card, samples=["gone.png"])
    with pytest.raises(UsageError, match="33 x 33 pixels, as its card says"):
        card = web_networks.card_of(model, image_size=33)
        web.export_web(model, folder, card=card, runtime=package)
    assert not folder.exists()


def test_a_folder_that_is_no_page_is_not_replaced(model, package, tmp_path):
    card = web_networks.card_of(model)
    folder = tmp_path / "web"
    web.export_web(model, folder, card=card, runtime=package)
    web.export_web(model, folder, card=card, runtime=package)
    (folder / "samples" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match="web' is not a page, which would"):
        web.export_web(model, folder, card=card, runtime=package)
    assert (folder / "samples" / "mine.jpg").read_bytes() == b"mine"


# serve_web.py.


def test_serve_web_sends_types_and_headers(exported, tmp_path):
    # The folder of the whole export will do, of which it shows the page only.
    root = exported[0].parent
    (root / "secret.txt").write_text("secret")
    with pages.serving(root) as server:
        for name, kind in {
            "": "text/html",
            "page.js": "text/javascript",
            "litert_js/litert_wasm_compat_internal.wasm": "application/wasm",
            "model.tflite": "application/octet-stream",
            "page.webmanifest": "application/manifest+json",
        }.items():
            with urllib.request.urlopen(server.url + name) as answer:
                headers = answer.headers
            assert headers.get_content_type() == kind
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{server.url}../secret.txt")
        taken = _serve(exported[0], f"--port={server.port}")
    assert re.search("ERROR: Cannot listen on port .*--port=0", taken)
    assert "ERROR: Expected one folder" in _serve()
    assert "ERROR: There is no page in" in _serve(tmp_path / "nowhere")


def test_serve_web_gives_files_of_the_page_alone(exported, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(exported[0], page)
    (tmp_path / "secret.txt").write_text("secret")
    (page / "link").symlink_to(tmp_path / "secret.txt")
    (page / "inside").symlink_to(page / "page.json")
    os.mkfifo(page / "pipe")
    with pages.serving(page) as server:
        for name in ("link", "pipe", "%00", "samples/", "x" * 5000):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(server.url + name, timeout=30)
        for name in ("inside", "page.json?x=1"):
            with urllib.request.urlopen(server.url + name) as answer:
                assert answer.read() == (page / "page.json").read_bytes()


def _serve(*arguments):
    result = subprocess.run(
        [sys.executable, pages.SERVE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    return result.stderr
