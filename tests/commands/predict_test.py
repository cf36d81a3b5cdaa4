"""The commands export.py, verify.py and predict.py, as users start them."""

import json
import re
import shutil

import keras
import numpy as np
import programs
import pytest

import keras_resnet
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

MODELS = {
    "keras": "run/model.keras",
    "saved_model": "exported/saved_model",
    "tflite": "exported/model_float32.tflite",
    "onnx": "exported/model.onnx",
}


def refuses(message, command, *arguments, cwd):
    """Asserts that a command ends with one clear message and status 2."""
    result = programs.start(command, *arguments, cwd=cwd)
    assert result.returncode == 2, result.stderr
    assert re.search(rf"^ERROR: .*{message}", result.stderr, re.M | re.S)
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="session")
def network():
    keras.utils.set_random_seed(0)
    return keras_resnet.build(
        "resnet20", depths=(1, 1, 1), classes=10, input_shape=(16, 16, 3)
    )


@pytest.fixture(scope="session")
def root(network, tmp_path_factory):
    """A directory with run/model.keras and, by export.py, exported/."""
    root = tmp_path_factory.mktemp("root")
    run = root / "run"
    run.mkdir()
    network.save(run / "model.keras")
    Card(
        class_names=tuple(str(digit) for digit in range(10)),
        image_size=16,
        eval_resize=18,
        variant="resnet20",
        dataset="digits",
    ).save(run)
    result = programs.start(
        "export",
        "--model=run/model.keras",
        "--formats=saved_model,tflite_float32,onnx",
        cwd=root,
    )
    assert result.returncode == 0, result.stderr
    (root / "table.txt").write_text(result.stdout)
    return root


def test_export_prints_what_it_measured(root):
    table = (root / "table.txt").read_text()
    manifest = json.loads((root / "exported/manifest.json").read_text())
    assert len(manifest["artifacts"]) == 3
    for artifact in manifest["artifacts"]:
        row = re.search(rf"^{artifact['path']} .*$", table, re.M)[0]
        _, precision, megabytes, difference, agreement, _ = row.split()
        assert precision == artifact["precision"]
        assert float(megabytes) == round(artifact["bytes"] / 1e6, 2)
        assert float(difference) <= 1e-5
        assert agreement == "100.0%"
    assert "Verified on 256 images" in table


def test_export_keeps_an_earlier_one_without_force(root):
    before = (root / "exported/manifest.json").read_bytes()
    refuses(
        "There is an export already: .*model.onnx.*Pass --force",
        "export",
        "--model=run/model.keras",
        cwd=root,
    )
    assert (root / "exported/manifest.json").read_bytes() == before


def test_verify_passes_and_then_names_the_damaged_file(root, tmp_path):
    exported = tmp_path / "exported"
    shutil.copytree(root / "exported", exported)
    arguments = (f"--model={root}/run/model.keras", exported)
    result = programs.start(
        "verify", *arguments, "--num_images=8", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "own" in result.stdout
    rows = [line.split()[:2] for line in result.stdout.splitlines()[1:5]]
    assert rows == [
        ["saved_model", "serving_default"],
        ["saved_model", "serve_bytes"],
        ["model_float32.tflite", "serving_default"],
        ["model.onnx", "serving_default"],
    ]
    path = exported / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    refuses(
        "model.onnx: its sha256 is not the manifest's",
        "verify",
        *arguments,
        cwd=tmp_path,
    )


@pytest.mark.parametrize("format", MODELS)
def test_predict_gives_the_model_s_top_classes(root, network, format):
    samples = sorted((root / "exported/samples").iterdir())
    assert len(samples) == 8
    result = programs.start(
        "predict",
        f"--model={MODELS[format]}",
        "exported/samples",
        samples[0],
        cwd=root,
    )
    assert result.returncode == 0, result.stderr
    *blocks, last = re.split(r"^(?=\S)", result.stdout, flags=re.M)[1:]
    assert len(blocks) == 9
    for path, block in zip([*samples, samples[0]], blocks, strict=True):
        title, *lines = block.strip().splitlines()
        assert re.search(rf"{path.name}  \(\d+\.\d ms\)$", title)
        image = decoding.decode(path.read_bytes())
        image = transforms.evaluation(image, View(resize=18, crop=16))
        expected = network(image[None]).numpy()[0]
        order = np.argsort(-expected)[:5]
        for line, k in zip(lines, order, strict=True):
            probability, name = line.split()
            assert name == str(k)
            percent = float(probability.rstrip("%"))
            assert abs(percent - 100 * expected[k]) < 0.01
    assert re.match(
        rf"9 images with {format}: first call \d+\.\d ms, then ", last
    )


def test_predict_needs_images(root, tmp_path):
    model = f"--model={root}/exported/model_float32.tflite"
    refuses("There are no images. Pass", "predict", model, cwd=tmp_path)


def test_predict_names_a_file_that_is_no_image(root, tmp_path):
    (tmp_path / "notes.jpg").write_text("not an image")
    result = refuses(
        "'notes.jpg' is not an image that can be read",
        "predict",
        f"--model={root}/exported/model_float32.tflite",
        root / "exported/samples",
        "notes.jpg",
        cwd=tmp_path,
    )
    assert not result.stdout


def test_predict_needs_the_labels_of_the_model(root, tmp_path):
    shutil.copy(root / "exported/model.onnx", tmp_path)
    arguments = ("--model=model.onnx", root / "exported/samples")
    refuses("There is no labels.txt in", "predict", *arguments, cwd=tmp_path)
    shutil.copy(root / "exported/card.json", tmp_path)
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    refuses(
        "has 10 classes, the labels.txt beside it 2 names",
        "predict",
        *arguments,
        cwd=tmp_path,
    )


def test_a_lone_tflite_file_has_them_inside(root, tmp_path):
    shutil.copy(root / "exported/model_float32.tflite", tmp_path)
    arguments = ("--model=model_float32.tflite", root / "exported/samples")
    result = programs.start("predict", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "8 images with tflite" in result.stdout


def test_predict_names_a_missing_model(root, tmp_path):
    refuses(
        "There is no model 'model_float32.tflite'",
        "predict",
        "--model=model_float32.tflite",
        root / "exported/samples",
        cwd=tmp_path,
    )
