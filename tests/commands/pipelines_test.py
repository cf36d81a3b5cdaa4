"""train.py and evaluate.py as a user runs them: one message, no traceback."""

import json
import re

import programs
import pytest
import zygote
from PIL import Image

# ResNet-4.
SHALLOW = ("--depths=1", "--filters=16")


def _run(command, *arguments):
    return programs.start(command, *arguments, cwd=programs.ROOT)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four steps on two devices, started from elsewhere."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    # A cold start also shows what start-up prints.
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
    # This comes first, for those who read a log.
    said = "python pipelines/train.py: starting TensorFlow ...\n"
    assert result.stderr.startswith(said)
    # TensorFlow's start-up notes are not a user's business.
    assert "oneDNN" not in result.stderr


# A command that gets the signal when it prints its first step.
_SIGTERM = """
import os, pathlib, runpy, signal, sys
sys.argv = sys.argv[1:]
sys.path[0] = str(pathlib.Path(sys.argv[0]).parent)
write, sent = sys.stdout.write, []
def stopping(text):
    if text.startswith("step ") and not sent:
        sent.append(os.kill(os.getpid(), signal.SIGTERM))
    return write(text)
sys.stdout.write = stopping
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_sigterm_writes_a_checkpoint_and_ends_with_75(run, tmp_path):
    model = run[0] / "model.keras"
    (tmp_path / "stopped.py").write_text(_SIGTERM)
    words = ["--steps=100000", "--batch_size=8", "--eval_every_steps=3"]
    words += [*SHALLOW, f"--weights={model}", f"--workdir={tmp_path / 'run'}"]
    program = programs.PIPELINES / "train.py"
    result = zygote.run(tmp_path / "stopped.py", program, *words, cwd=tmp_path)
    assert result.returncode == 75, result.stderr
    assert f"Starting from {model}\n" in result.stdout
    assert "SIGTERM: stopped at step" in result.stdout
    assert "The same command goes on from there." in result.stdout
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 1
    assert "Traceback" not in result.stderr
    assert "past the end" not in result.stderr


def test_evaluate_gives_what_train_reported(run, tmp_path):
    workdir, _ = run
    figures = tmp_path / "figures.json"
    result = _run(
        "evaluate",
        f"--model={workdir / 'model.keras'}",
        "--batch_size=60",
        *("--strategy=mirrored", "--devices=3"),
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
        (
            ["train", "--dataset=folder:X"],
            "16x16 pixels, which is for the digits alone",
        ),
        (["train", "--boundaries=1,x"], "--boundaries takes integers"),
        (["train", "--workdir=gs://b/run"], "directory of this machine"),
        (["evaluate", "--model=nothing.keras"], "There is no model"),
        (["evaluate", "--model=README.md"], "Expected a .keras file"),
        (
            ["evaluate", "--model=x", "--strategy=multi_worker"],
            "One machine evaluates a finished model",
        ),
    ],
)
def test_a_mistake_is_one_message(command, message):
    result = _run(*command)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_data_of_other_classes_are_refused(run, tmp_path):
    for split in ("train", "validation"):
        for name in ("cat", "dog", "hen"):
            path = tmp_path / split / name / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (16, 16)).save(path)
    model = f"--model={run[0] / 'model.keras'}"
    refused = _run("evaluate", model, f"--dataset=folder:{tmp_path}")
    assert refused.returncode == 2
    assert "The model has 10 classes" in refused.stderr
    assert "Only in the data: 'cat'" in refused.stderr
