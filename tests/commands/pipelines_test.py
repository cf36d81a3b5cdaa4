"""train.py and evaluate.py as a user runs them: one message, no stack."""

import json
import re
import signal
import subprocess
import sys

import programs
import pytest

# ResNet-4.
SHALLOW = ("--depths=1", "--filters=16")


def _run(command, *arguments):
    return programs.start(command, *arguments, cwd=programs.ROOT)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four steps on two devices, started from elsewhere."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    # From the first line on, for what start-up prints.
    result = programs.start_cold(
        "train",
        *("--strategy=mirrored", "--devices=2", "--batch_size=8"),
        *("--steps=4", "--boundaries=2,4", *SHALLOW),
        cwd=cwd,
    )
    assert result.returncode == 0, result.stderr
    return cwd / "runs" / "digits", result


def test_train_writes_into_runs_and_reports(run):
    workdir, result = run
    assert (workdir / "model.keras").exists()
    recipe = json.loads((workdir / "config.json").read_text())["recipe"]
    assert (recipe["steps"], recipe["boundaries"]) == (4, [2, 4])
    assert "boundaries: 4 lie at or past the end" in result.stderr
    assert "at 16x16 pixels" in result.stdout
    assert "2 x CPU" in result.stdout
    # It has 10 classes, and was evaluated before the first report.
    assert ", top-5 " in result.stdout
    assert re.search("[1-9][0-9.]* images/s", result.stdout)
    assert " 0 images/s" not in result.stdout
    assert "of 359 images" in result.stdout
    # At once, for who reads a log.
    said = "python pipelines/train.py: starting TensorFlow ...\n"
    assert result.stderr.startswith(said)
    # TensorFlow's start-up notes are not a user's business.
    assert "oneDNN" not in result.stderr


def test_sigterm_writes_a_checkpoint_and_ends_with_75(tmp_path):
    command = [sys.executable, programs.PIPELINES / "train.py"]
    flags = ["--steps=100000", "--batch_size=8", "--eval_every_steps=3"]
    flags += SHALLOW
    train = subprocess.Popen(
        [*command, *flags, f"--workdir={tmp_path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in train.stdout:
        if line.startswith("step "):
            break
    train.send_signal(signal.SIGTERM)
    said, wrong = train.communicate(timeout=120)
    assert train.returncode == 75, wrong
    assert "SIGTERM: stopped at step" in said
    assert "The same command goes on from there." in said
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert "Traceback" not in wrong


def test_evaluate_gives_what_train_reported(run, tmp_path):
    workdir, _ = run
    figures = tmp_path / "figures.json"
    result = _run(
        "evaluate",
        f"--model={workdir / 'model.keras'}",
        "--batch_size=60",
        "--strategy=mirrored",
        "--devices=3",
        f"--json={figures}",
    )
    assert result.returncode == 0, result.stderr
    reported = json.loads(
        (workdir / "metrics.jsonl").read_text().splitlines()[-1]
    )
    measured = json.loads(figures.read_text())
    assert measured["num_examples"] == 359
    assert measured["top1_accuracy"] == reported["top1_accuracy"]
    assert measured["top5_accuracy"] == reported["top5_accuracy"]
    assert ", top-5 error " in result.stdout


@pytest.mark.parametrize(
    "command, message",
    [
        (["train", "--recipe=digitz"], "Did you mean 'digits'"),
        (
            ["train", "--dataset=folder:X"],
            "16x16 pixels, which is for the digits alone",
        ),
        (["train", "--boundaries=1,x"], "--boundaries takes integers"),
        (["train", "a", "b"], "Name one folder of pictures"),
        (["train", "--workdir=gs://b/run"], "directory of this machine"),
        (["evaluate", "--model=nothing.keras"], "There is no model"),
        (["evaluate", "--model=README.md"], "Expected a .keras file"),
        (
            ["evaluate", "--model=x", "--strategy=multi_worker"],
            "One machine evaluates a finished model",
        ),
        (
            ["train", "--strategy=multi_worker"],
            "neither TF_CONFIG nor SLURM_PROCID is set",
        ),
    ],
)
def test_a_mistake_is_one_message(command, message):
    result = _run(*command)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def _folder(root, *classes):
    from PIL import Image

    for split in ("train", "validation"):
        for name in classes:
            path = root / split / name / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (16, 16)).save(path)


def test_data_of_other_classes_are_for_a_run_that_says_no_top5(run, tmp_path):
    _folder(tmp_path, "cat", "dog", "hen")
    model = run[0] / "model.keras"
    refused = _run(
        "evaluate", f"--model={model}", f"--dataset=folder:{tmp_path}"
    )
    assert refused.returncode == 2
    assert "The model has 10 classes" in refused.stderr
    assert "Only in the data: 'cat'" in refused.stderr
    trained = _run(
        "train",
        f"--dataset=folder:{tmp_path}",
        *("--image_size=16", *SHALLOW),
        f"--weights={model}",
        *("--steps=2", "--boundaries=1", "--batch_size=3"),
        "--eval_every_steps=1",
        f"--workdir={tmp_path / 'run'}",
    )
    assert trained.returncode == 0, trained.stderr
    assert f"Starting from {model}\n" in trained.stdout
    assert "Validation: top-1 accuracy" in trained.stdout
    assert "top-5" not in trained.stdout
    assert "past the end" not in trained.stderr
    evaluated = _run("evaluate", f"--model={tmp_path}/run/model.keras")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "top-1 error" in evaluated.stdout
    assert "top-5" not in evaluated.stdout
