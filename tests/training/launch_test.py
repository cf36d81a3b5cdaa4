"""The launcher, with shell scripts for workers: whom it starts, ends, blames.

What it does for training is in `workers_test.py`.
"""

import json
import signal
import subprocess
import sys
import time

import programs
import pytest

from keras_resnet.training import launcher

LAUNCH = [sys.executable, str(programs.PIPELINES / "launch.py")]
IS_1 = """case $TF_CONFIG in *'"index": 1'*) %s ;; *) %s ;; esac"""


def _command(script, *options, words=()):
    return [*LAUNCH, *options, "--pause=0.01", "--", "sh", "-c", script, *words]


def _launch(script, *options, words=()):
    return subprocess.run(
        _command(script, *options, words=words),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_each_worker_has_its_place_and_its_label():
    done = _launch("echo $TF_CONFIG", "--workers=3")
    assert done.returncode == 0
    pairs = (line.split("] ") for line in done.stdout.splitlines())
    configs = {label: json.loads(text) for label, text in pairs}
    assert set(configs) == {"[worker 0", "[worker 1", "[worker 2"}
    clusters = {str(config["cluster"]) for config in configs.values()}
    assert len(clusters) == 1
    assert len(set(configs["[worker 0"]["cluster"]["worker"])) == 3
    for label, config in configs.items():
        assert config["task"] == {"type": "worker", "index": int(label[-1])}


def test_workers_share_a_token_that_no_command_line_shows():
    script = "echo $KERAS_RESNET_JOB_TOKEN; tr '\\0' ' ' < /proc/$$/cmdline"
    lines = _launch(script, "--workers=2").stdout.splitlines()
    tokens = [line.split("] ")[1] for line in lines if "cmdline" not in line]
    assert len(tokens) == 2 and len(set(tokens)) == 1 and len(tokens[0]) == 64
    assert sum(tokens[0] in line for line in lines) == 2
    again = _launch(script, "--workers=2").stdout
    assert tokens[0] not in again


def test_the_first_reason_is_shown_not_what_it_did_to_the_others():
    script = IS_1 % (
        "sleep 0.3; echo disk on fire; exit 3",
        "echo lost worker; exit 76",
    )
    done = _launch(script, "--max_restarts=0")
    assert done.returncode == 3
    end = done.stdout.partition("Worker 1 failed first, with status 3")[2]
    assert "disk on fire" in end
    assert "lost worker" not in end


def test_a_failing_job_starts_again_so_often_and_no_more():
    done = _launch(IS_1 % ("exit 3", "sleep 60"), "--max_restarts=2")
    assert done.returncode == 3
    assert done.stdout.count("failed first") == 3
    assert "in 0.01 s, from the beginning (restart 1 of 2" in done.stdout
    assert "in 0.02 s, from the beginning (restart 2 of 2" in done.stdout
    assert "Failed 3 times after no checkpoint: giving up" in done.stdout


def test_a_job_that_moves_on_may_fail_more_often(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    script = IS_1 % (
        f"n=$(ls {folder} | wc -l); mkdir {folder}/step-0000000$n; "
        "test $n -ge 4 || kill -9 $$",
        "sleep 0.5",
    )
    words = ["name", "--workdir", str(tmp_path)]
    done = _launch(script, "--max_restarts=1", words=words)
    assert done.returncode == 0
    assert done.stdout.count("with SIGKILL") == 4
    assert "from step-00000003 (restart 1 of 1" in done.stdout


def test_a_users_error_is_final():
    done = _launch("echo ERROR: no such recipe; exit 2", "--max_restarts=9")
    assert done.returncode == 2
    assert done.stdout.count("failed first") == 1
    assert "no such recipe" in done.stdout


@pytest.mark.parametrize(
    "number, status", [(signal.SIGTERM, 75), (signal.SIGINT, 130)]
)
def test_signals_are_passed_on_and_the_status_handed_up(number, status):
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo saved; exit {status}' {name}; echo up; "
    script += "while :; do sleep 0.05; done"
    job = subprocess.Popen(_command(script), stdout=subprocess.PIPE, text=True)
    up = 0
    for line in job.stdout:
        up += "up" in line
        if up == 2:
            job.send_signal(number)
            break
    rest, _ = job.communicate(timeout=60)
    assert job.returncode == status
    assert rest.count("saved") == 2
    assert "failed first" not in rest


def test_a_signal_that_comes_while_workers_start_reaches_all(monkeypatch):
    """The first worker is up, and the launcher has not noted it yet."""
    environments = launcher.environments

    def interrupted(count):
        for environment in environments(count):
            yield environment
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(launcher, "environments", interrupted)
    script = "trap 'exit 75' TERM; while :; do sleep 0.05; done"
    started = time.monotonic()
    with launcher.Signals() as signals:
        # 128 + 15 if a shell had no time to set its trap.
        assert launcher.run(["sh", "-c", script], 2, signals) in (75, 128 + 15)
    assert time.monotonic() - started < launcher._GRACE


def test_a_worker_that_ignores_sigterm_is_killed(monkeypatch, capsys):
    monkeypatch.setattr(launcher, "_GRACE", 0.5)
    script = IS_1 % ("exit 3", "trap '' TERM; while :; do sleep 0.05; done")
    with launcher.Signals() as signals:
        assert launcher.run(["sh", "-c", script], 2, signals) == 3
    assert "Worker 1 failed first" in capsys.readouterr().out


def test_gpus_are_dealt_out(monkeypatch):
    def dealt(gpus, count):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
        found = launcher.environments(count)
        return [e["CUDA_VISIBLE_DEVICES"] for e in found]

    assert dealt("4,5,6,7", 2) == ["4,5", "6,7"]
    assert dealt("0,1,2", 2) == ["0", "1"]
    assert dealt("0", 2) == ["0", "0"]
    assert dealt("", 2) == ["", ""]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "CUDA_VISIBLE_DEVICES" not in launcher.environments(1)[0]


@pytest.mark.parametrize(
    "command, message",
    [
        ([*LAUNCH, "--workers=2"], "Name the command after --"),
        ([*LAUNCH, "--", "/no/such/program"], "Cannot start '/no/such/prog"),
    ],
)
def test_a_command_that_is_not_there_is_refused(command, message):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert message in done.stdout + done.stderr
