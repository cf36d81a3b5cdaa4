"""Several workers equal one machine with as many devices, and fail together.

Real processes on loopback, a network of 8 layers, `tiny_worker.py`.
"""

import json
import pathlib
import signal
import subprocess
import sys
import time

import digit_runs
import numpy as np
import programs
import pytest
import tensorflow as tf

from keras_resnet import errors
from keras_resnet.training import distribution
from keras_resnet.training import workers

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = [sys.executable, str(programs.SUPPORT / "tiny_worker.py")]
LAUNCH = [sys.executable, str(ROOT / "pipelines" / "launch.py")]
# 359 validation digits do not fill batches of 32: the last one gives worker 1
# only copies of weight 0.
FLAGS = (
    "--recipe=digits --deterministic --batch_size=32 --steps=7 "
    "--boundaries=4,6 --log_every_steps=2 --eval_every_steps=3 "
    "--checkpoint_every_steps=2"
).split()
LIMIT = 300  # seconds; no test asserts a shorter time


def _one(workdir, devices, *flags):
    command = [*TINY, "--", *FLAGS, "--strategy=mirrored", *flags]
    command += [f"--devices={devices}", f"--workdir={workdir}"]
    subprocess.run(command, check=True, timeout=LIMIT)
    return workdir


def _many(workdir, *faults, options=(), flags=()):
    """The finished launcher."""
    command = [*LAUNCH, "--workers=2", *options, "--", *TINY, *faults]
    command += ["--", *FLAGS, "--strategy=multi_worker", *flags]
    command += [f"--workdir={workdir}"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT
    )


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return _one(tmp_path_factory.mktemp("one") / "run", 2)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """(workdir, output): worker 1 was killed at step 5 of 7."""
    workdir = tmp_path_factory.mktemp("two") / "run"
    done = _many(workdir, "kill:1:5", options=["--pause=0.1"])
    assert done.returncode == 0, done.stdout
    return workdir, done.stdout


def _assert_same(workdir, other):
    digit_runs.assert_equal(
        digit_runs.checkpoint(workdir), digit_runs.checkpoint(other)
    )
    assert digit_runs.records(workdir) == digit_runs.records(other)


@pytest.mark.large
def test_two_workers_equal_two_devices_bit_for_bit_after_a_kill(one, two):
    """Loss curve, weights, momentum, statistics; each example counts once."""
    workdir, output = two
    assert "Worker 1 failed first, with SIGKILL" in output
    assert "Worker 1 died, hangs or cannot be reached" in output
    assert "they go on from step-00000004" in output
    assert [record["step"] for record in digit_runs.records(workdir)] == [
        3,
        6,
        7,
    ]
    assert "of 359 images" in output
    _assert_same(workdir, one)


@pytest.mark.large
def test_only_the_chief_prints_and_writes(two):
    workdir, output = two
    lines = output.splitlines()
    assert sum("Validation:" in line for line in lines) == 1
    assert not [line for line in lines if line.startswith("[worker 1]")]
    assert len(list((workdir / "tensorboard").iterdir())) == 2  # two starts


@pytest.mark.large
def test_statistics_are_the_mean_over_workers_in_checkpoint_and_model(two):
    import keras_resnet  # noqa: F401  registers its layers

    workdir, _ = two
    parts = [np.load(f"{workdir}.statistics{i}.npz") for i in range(2)]
    saved, model = digit_runs.checkpoint(workdir), digit_runs.arrays(workdir)
    assert len(parts[0].files) == 2 * 7
    for path in parts[0].files:
        copies = np.concatenate([part[path] for part in parts])
        assert len(copies) == 2
        for value in (saved[path], model[path]):
            np.testing.assert_allclose(
                value, copies.mean(axis=0), rtol=1e-6, atol=1e-7
            )
    # The copies differ, or the test would show nothing.
    assert np.abs(copies[0] - copies[1]).max() > 1e-4


def test_one_machine_is_one_worker_who_asks_nobody():
    for name, devices in (("one_device", 1), ("mirrored", 2)):
        strategy = distribution.make_strategy(name, devices)
        alone = workers.Workers(strategy)
        assert (alone.index, alone.count, alone.is_chief) == (0, 1, True)
        assert distribution.is_chief(strategy)
        assert alone.gather(7) == [7]
        assert (alone.highest(None), alone.highest(15)) == (0, 15)
        assert alone.together(lambda: "done") == "done"
        with pytest.raises(errors.UsageError, match="as it was"):
            alone.together(lambda: errors.require(False, "as it was"))


def test_only_a_lost_worker_is_a_loss():
    aborted = "Collective ops is aborted by: ... /task:1"
    lost = (
        tf.errors.UnavailableError(None, None, "Connection refused"),
        tf.errors.InternalError(None, None, aborted),
    )
    for error in lost:
        assert workers.is_loss(error)
    own = tf.errors.InvalidArgumentError(None, None, "shapes")
    assert not workers.is_loss(own)
    alone = workers.Workers(distribution.make_strategy("one_device"))
    for error in (*lost, own):
        with pytest.raises(type(error)), alone.noticing_loss():
            raise error


@pytest.mark.large
def test_two_workers_of_two_devices_equal_four_devices_nearly(tmp_path):
    """Sums of four numbers depend on their order."""
    one = _one(tmp_path / "one", 4)
    done = _many(tmp_path / "two", flags=["--devices=2"])
    assert done.returncode == 0, done.stdout
    assert "2 x 2 x CPU" in done.stdout
    ours, theirs = (
        digit_runs.checkpoint(tmp_path / "two"),
        digit_runs.checkpoint(one),
    )
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=0.01)
    losses, expected = (
        [record["train_loss"] for record in digit_runs.records(workdir)]
        for workdir in (tmp_path / "two", one)
    )
    assert losses == pytest.approx(expected, rel=1e-3)


@pytest.mark.large
def test_sigterm_of_one_worker_stops_all_at_the_same_step(one, tmp_path):
    """All end with 75, so the launcher starts them again."""
    done = _many(tmp_path / "run", "term:1:3", options=["--pause=0.1"])
    assert done.returncode == 0, done.stdout
    assert "stopped at step 4 of 7" in done.stdout.lower()
    assert "Worker 1 died" not in done.stdout
    _assert_same(tmp_path / "run", one)


@pytest.mark.large
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_stops_the_job(number, tmp_path):
    command = [*LAUNCH, "--workers=2", "--", *TINY, "--", *FLAGS]
    command += ["--strategy=multi_worker", f"--workdir={tmp_path / 'run'}"]
    command += ["--steps=100000", "--boundaries=4"]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in job.stdout:
        if "step      6/" in line:
            job.send_signal(number)
            break
    rest, _ = job.communicate(timeout=LIMIT)
    assert job.returncode == {signal.SIGTERM: 75, signal.SIGINT: 130}[number]
    assert "stopped at step" in rest.lower()
    assert "failed first" not in rest


@pytest.mark.large
def test_a_frozen_worker_is_noticed_and_all_start_again(one, tmp_path):
    done = _many(tmp_path / "run", "stop:1:3", options=["--pause=0.1"])
    assert done.returncode == 0, done.stdout
    assert "Worker 1 died, hangs or cannot be reached" in done.stdout
    _assert_same(tmp_path / "run", one)


@pytest.mark.large
def test_an_error_of_one_worker_is_shown_and_repeats_end(tmp_path):
    faults = ["error:1:1", "error:1:2"]
    done = _many(tmp_path / "run", *faults, options=["--max_restarts=0"])
    assert done.returncode == 1
    assert "Worker 1 failed first, with status 1" in done.stdout
    end = done.stdout.partition("Its end:")[2]
    assert "ValueError: on demand" in end
    assert "giving up" in end


@pytest.mark.large
def test_a_worker_that_never_starts_is_named(tmp_path):
    config = {
        "cluster": {"worker": ["127.0.0.1:24371", "127.0.0.1:24372"]},
        "task": {"type": "worker", "index": 0},
    }
    started = time.monotonic()
    done = subprocess.run(
        [*TINY, "--", *FLAGS, "--strategy=multi_worker", "--start_timeout=3"]
        + [f"--workdir={tmp_path / 'run'}"],
        env={"TF_CONFIG": json.dumps(config)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 76
    assert "Worker 1 (127.0.0.1:24372) never started" in done.stderr
    assert time.monotonic() - started > 3


@pytest.mark.large
@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--batch_size=33"],
            "2 devices, times gradient_accumulation_steps, must",
        ),
        (["--on_bad_image=mask:1"], "counts the images of one process"),
    ],
)
def test_settings_that_cannot_work_end_before_training(
    flags, message, tmp_path
):
    done = _many(tmp_path / "run", flags=flags)
    assert done.returncode == 2
    assert message in done.stdout
    assert "Starting all workers again" not in done.stdout
    assert not (tmp_path / "run").exists()
