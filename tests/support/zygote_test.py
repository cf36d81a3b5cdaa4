"""A program does the same in a fork as in a new process."""

import os
import subprocess
import sys

import pytest
import zygote

_PROGRAM = """
import atexit
import os
import signal
import sys

atexit.register(print, "the end")
print(__name__, sys.argv[1:], os.getcwd(), sys.path[0], os.environ["MINE"])
print("caf\\u00e9", file=sys.stderr, flush=True)
ENDS = {
    "returns": lambda: None,
    "exits with 3": lambda: sys.exit(3),
    "exits with a word": lambda: sys.exit("why"),
    "raises": lambda: {}["key"],
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}
ENDS[sys.argv[1]]()
"""
_ENDS = ["returns", "exits with 3", "exits with a word", "raises", "is killed"]


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM, encoding="utf-8")
    return path


@pytest.mark.parametrize("end", _ENDS)
def test_a_fork_does_what_a_new_process_does(program, tmp_path, end):
    environment = {**os.environ, "MINE": "a b"}
    warm = zygote.run(program, end, cwd=tmp_path, env=environment)
    cold = subprocess.run(
        [sys.executable, program, end],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (warm.returncode, warm.stdout) == (cold.returncode, cold.stdout)
    # A traceback also names the zygote, first.
    said = cold.stderr.splitlines()
    assert warm.stderr.splitlines()[:1] == said[:1]
    assert warm.stderr.splitlines()[-1:] == said[-1:]


def test_what_takes_too_long_is_ended_and_the_next_one_runs(tmp_path):
    endless, short = tmp_path / "endless.py", tmp_path / "short.py"
    endless.write_text("while True: pass")
    short.write_text("print('done')")
    with pytest.raises(subprocess.TimeoutExpired):
        zygote.run(endless, cwd=tmp_path, timeout=0.1)
    assert zygote.run(short, cwd=tmp_path).stdout == "done\n"


def test_tensorflow_is_imported_and_has_not_started(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        "import sys\n"
        "print('tensorflow' in sys.modules)\n"
        "from tensorflow.python.eager import context\n"
        "print(context.context()._initialized)\n"
    )
    said = zygote.run(path, cwd=tmp_path).stdout
    assert said.splitlines() == ["True", "False"]
