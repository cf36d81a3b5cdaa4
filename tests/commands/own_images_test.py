"""Four commands turn a folder of pictures into a file for a phone."""

import re

import numpy as np
import programs
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with 15 light and 15 dark pictures in it."""
    root = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    for name, level in (("light things", 200), ("어두움", 50)):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(15):
            noise = rng.integers(-40, 40, (24, 30, 3))
            image = Image.fromarray((level + noise).astype(np.uint8))
            image.save(root / "photos" / name / f"{i}.png")
    (root / "photos" / "어두움" / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="module")
def trained(place):
    words = ["--epochs=2", "--depths=1", "--filters=16", "--keep=best"]
    # Looking at the images must not take a device before there are two.
    words += ["--strategy=mirrored", "--devices=2"]
    done = programs.start("train", "photos/", *words, cwd=place)
    assert done.returncode == 0, done.stderr
    return done


def _run(place, command, *words):
    done = programs.start(command, *words, cwd=place)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_train_says_what_it_chose_and_what_it_left_out(place, trained):
    head = trained.stdout.splitlines()[:2]
    # Here TensorFlow was imported before, so nobody waits for it.
    assert "starting TensorFlow" not in trained.stderr
    assert head[0].startswith("Training resnet20 on folder:photos at 32x32")
    assert head[0].endswith("(mirrored, 2 x CPU) in runs/photos")
    assert head[1].startswith(
        "24 images of 2 classes to train on, 6 for validation. Chosen: "
    )
    assert "batch_size=4" in head[1] and "steps=12" in head[1]
    assert "after 12 steps" in trained.stdout
    # With two classes top-5 is always right.
    assert "top-1 accuracy" in trained.stdout
    assert "top-5" not in trained.stdout
    assert "have chosen the model" in trained.stdout
    assert trained.stderr.count("1 entries of the class folders") == 1
    assert (place / "runs/photos/last.keras").exists()


def test_evaluate_writes_the_report(place, trained):
    said = _run(place, "evaluate", "runs/photos", "--report=report.html")
    assert "Report: report.html" in said and "of 6 images" in said
    assert "top-5" not in said
    page = (place / "report.html").read_text()
    error = float(re.search("top-1 error ([0-9.]+)%", said)[1])
    assert "어두움" in page and f"Accuracy {100 - error:.2f}%" in page


def test_export_goes_beside_the_model_and_predict_takes_either(place, trained):
    said = _run(place, "export", "runs/photos", "--formats=tflite_float32")
    assert "Verified on 6 images of folder:photos (validation)" in said
    file = "runs/photos/exported/model_float32.tflite"
    image = "photos/light things/3.png"
    by_file = _run(place, "predict", file, image)
    by_run = _run(place, "predict", "runs/photos", image)
    assert "light things" in by_file.splitlines()[1]
    assert by_file.splitlines()[1] == by_run.splitlines()[1]


@pytest.mark.parametrize(
    "command, words, message",
    [
        ("train", ["photos", "--validation=2"], "between 0 and 1"),
        ("evaluate", [], "--model is missing: name a .keras file, or"),
        ("evaluate", ["a", "b", "--report=x"], "--report is of one model"),
        ("export", ["a", "b"], "Name one model. Received: a b"),
        ("predict", [], "--model is missing"),
    ],
)
def test_what_cannot_be_is_one_line(place, command, words, message):
    # Without a model predict does not import TensorFlow.
    start = programs.start_cold if command == "predict" else programs.start
    done = start(command, *words, cwd=place)
    assert done.returncode == 2 and done.stderr.startswith("ERROR: ")
    assert message in done.stderr and done.stderr.count("\n") == 1
