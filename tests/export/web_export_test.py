"""The folder of a page: what is in it, and what is refused."""

import hashlib
import json
import re
import shutil
import sys

import exported_networks
import keras
import numpy as np
import odd_images
import programs
import pytest
import web_networks
from ai_edge_litert.interpreter import Interpreter

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.export import formats
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers import onnx
from keras_resnet.export.writers import serving
from keras_resnet.export.writers import tflite
from keras_resnet.export.writers import web
from keras_resnet.export.writers import web_model
from keras_resnet.inference import predictors
from keras_resnet.inference.artifact import WEB_MODEL
from keras_resnet.inference.artifact import sha256


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
    dataset = "folder:/home/me/photographs"
    card = web_networks.card_of(model, dataset=dataset)
    with pytest.MonkeyPatch.context() as monkeypatch:
        package = _make_package(root / "package", monkeypatch)
        artifact = web.export_web(
            model, root / "web", card=card, runtime=package, samples=[sample]
        )
    return root / "web", artifact


@pytest.fixture(params=["original", "full_preact"])
def written(request, model, exported, tmp_path):
    """(model, folder); each placement has another layer before the pool."""
    if request.param == "original":
        return model, exported[0]
    other = web_networks.network(
        placement="full_preact",
        dtype="mixed_bfloat16",
        input_shape=(None, None, 3),
    )
    network = serving.Network(other, web_networks.card_of(other))
    content, _ = web_model.convert(network)
    (tmp_path / WEB_MODEL).write_bytes(content)
    return other, tmp_path


def test_the_network_of_the_page_is_the_model(written):
    model, folder = written
    predictor = predictors.WebPredictor(folder)
    images, copy = web_networks.noise(3), float32_copy(model)
    expected = exported_networks.answers(copy, images)
    assert expected.std() > 0.05  # not 1 / K whatever the input
    actual = predictor.predict(images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    # The mean of a class's map, and its bias, are its logit.
    runner = Interpreter(str(folder / WEB_MODEL)).get_signature_runner()
    rows = [runner(images=image[None]) for image in images]
    maps = np.concatenate([row["class_maps"] for row in rows])
    assert maps.shape == (3, 8, 8, 7)
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
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    page = {path.name for path in web.PAGE.iterdir()}
    runtime = {f"litert_js/{name}" for name in (*litert_js.FILES, "NOTICE")}
    data = {"card.json", "labels.txt", "model.tflite", "page.json"}
    assert set(files) == page | runtime | data | {"samples/00.png"}
    # The service worker lists every file except itself.
    script = files.pop("service_worker.js").read_text()
    table = re.search(r"^const FILES = (\{.*?^\});", script, re.M | re.S)
    assert json.loads(table[1]) == {
        name: {"sha256": sha256(path), "bytes": path.stat().st_size}
        for name, path in files.items()
    }
    assert files["labels.txt"].read_text().split("\n")[4] == "fünf"
    assert json.loads(files["page.json"].read_text()) == {
        "model_bytes": files["model.tflite"].stat().st_size,
        "samples": [{"file": "samples/00.png", "name": "03_label-vier ü"}],
    }
    assert (artifact.format, artifact.sha256) == ("web", sha256(folder))
    shapes = {"probabilities": [1, 7], "class_maps": [1, 8, 8, 7]}
    outputs = artifact.signature["outputs"]
    assert {name: row["shape"] for name, row in outputs.items()} == shapes
    # The runtime is named with its licence and the one change.
    notice = files["litert_js/NOTICE"].read_text()
    assert re.search("Apache License 2.0.*\n.*index.js has been ch", notice)
    index = files["litert_js/index.js"].read_text()
    assert index == 'index.js from "./wasm_utils.js"'
    licence = programs.PIPELINES.with_name("LICENSE").read_bytes()
    assert files["LICENSE"].read_bytes() == licence
    # No file tells where the data are.
    assert [p for p in paths if b"/home/me" in p.read_bytes()] == []
    card = json.loads(files["card.json"].read_text())
    assert card["dataset"] == "folder:photographs"


# What is refused.


def test_an_altered_runtime_is_refused(package):
    name = "litert_wasm_compat_internal.wasm"
    file = package / litert_js.FILES[name][1]
    file.write_bytes(file.read_bytes() + b"!")
    message = f"{name}' is not the file of .*sha256"
    with pytest.raises(UsageError, match=message):
        litert_js.files(package)
    file.unlink()
    with pytest.raises(UsageError, match=f"There is no wasm/{name} of .*npm"):
        litert_js.files(package)


def _write_npm(folder, script):
    """A program in the place of npm, as the only one on the path."""
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text(f"#!{sys.executable}\n{script}")
    npm.chmod(0o755)
    return npm


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
    npm = _write_npm(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", str(npm.parent))
    fetched = litert_js.files()
    assert fetched == litert_js.files(package)
    npm.unlink()
    assert litert_js.files() == fetched


def test_a_missing_or_failing_npm_is_explained(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = (
        "needs LiteRT.js 2.5.3.*npm cannot be run: .*Install npm.*"
        "npm install --ignore-scripts @litertjs/core@2.5.3.*--litert_js="
    )
    with pytest.raises(UsageError, match=message):
        litert_js.files()
    script = "import sys; sys.exit('npm error ENOTFOUND')"
    npm = _write_npm(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", str(npm.parent))
    with pytest.raises(UsageError, match="npm failed: npm error ENOTFOUND"):
        litert_js.files()
    assert not list((tmp_path / "keras").rglob("*.js"))


def test_nothing_is_written_before_all_is_there(model, package, tmp_path):
    folder = tmp_path / "web"
    card = web_networks.card_of(model)
    large = web_networks.card_of(model, image_size=33)
    for choices, message in (
        ({"card": card, "samples": ["gone.png"]}, "no sample '.*gone.png'"),
        ({"card": large}, "33 x 33 pixels, as its card says"),
        ({"card": card}, "There is no wasm/"),
    ):
        if message.startswith("There"):
            shutil.rmtree(package / "wasm")
        with pytest.raises(UsageError, match=message):
            web.export_web(model, folder, runtime=package, **choices)
    assert not folder.exists()


def test_a_folder_that_is_no_page_is_not_replaced(model, exported):
    folder, _ = exported
    mine = folder / "samples" / "mine.jpg"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match="web' is not a page, which would"):
        web.export_web(model, folder, card=web_networks.card_of(model))
    assert mine.read_bytes() == b"mine"
    mine.unlink()


def test_an_export_of_several_formats_folds_and_proves_once(
    package, tmp_path, monkeypatch
):
    """It converts once what formats share; a writer alone converts again."""
    done = []
    for owner, name in (
        (serving, "fold"),
        (serving.proof, "check"),
        (tflite, "_save"),
        (onnx, "_convert"),
    ):
        monkeypatch.setattr(owner, name, _counted(getattr(owner, name), done))
    model = web_networks.network(depths=(1,), filters=(16,))
    card = web_networks.card_of(model)
    images = web_networks.noise(8).astype(np.uint8)

    def predict(path, inputs, **options):  # measurements are not tested
        found = exported_networks.answers(model, inputs.views)
        return {"serving_default": {"probabilities": found}}

    several = ["saved_model_bfloat16", "tflite", "tflite_float16"]
    several += ["onnx", "onnx_int8", "web"]
    choices = {"images": images, "labels": [0] * len(images), "card": card}
    options = formats.Options(litert_js=package, calibration=images)
    choices |= {"options": options, "predict": predict}
    artifacts = exported_networks.export(
        model, tmp_path / "all", several, **choices
    )
    assert len(artifacts) == len(several)
    # The copy in bfloat16 is proved too; a page's network also has maps.
    once = ["fold", "check", "check", "_save", "_convert", "_save"]
    assert done == once
    done.clear()
    network, files = serving.Network(model, card), []
    for dtype in serving.INPUT_DTYPES:  # not the same conversion
        files.append(tmp_path / f"{dtype}.onnx")
        onnx.export_onnx(network, files[-1], card=card, input_dtype=dtype)
    assert done == ["fold", "check", "_convert", "_convert"]
    assert files[0].read_bytes() != files[1].read_bytes()


def _counted(function, done):
    def counting(*arguments, **options):
        done.append(function.__name__)
        return function(*arguments, **options)

    return counting
