"""Any command answers wrong flags with status 2 and one line of text."""

import ast
import dataclasses
import functools
import json
import re
import subprocess
import sys

import programs
import pytest
import zygote

from keras_resnet import recipes
from keras_resnet.commands import doors
from keras_resnet.commands import flags

# A command with every kind of flag; it prints what it was given.
COMMAND = """
from absl import flags
from keras_resnet.commands import running
flags.DEFINE_integer("steps", 1, "Iterations.", lower_bound=1)
flags.DEFINE_integer("batch_size", 1, "Images.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed.")
flags.DEFINE_float("learning_rate", 0.1, "Rate.")
flags.DEFINE_bool("nesterov", False, "Nesterov's.")
flags.DEFINE_multi_string("model", None, "Path of a model.", required=True)
def main(args):
    print(args, flags.FLAGS.steps, flags.FLAGS.learning_rate)
    return 7
running.run(main)
"""


def _python(*words):
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=programs.ROOT,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs `COMMAND` with its arguments."""
    program = tmp_path_factory.mktemp("flags") / "program.py"
    program.write_text(COMMAND)
    return functools.partial(zygote.run, program, cwd=programs.ROOT)


def test_what_can_be_read_is_read():
    words = ("--model=x", "a", "--steps=3", "--learning_rate=1e-3", "b")
    done = _python("-c", COMMAND, *words)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == "['a', 'b'] 3 0.001\n"


def test_help_is_no_mistake(run):
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Iterations." in done.stdout


# The reader takes one line of many and closes the pipe.
_BROKEN_PIPE = """
from keras_resnet.commands import running
running.run(lambda args: print("line\\n" * 1_000_000))
"""


def test_a_reader_that_goes_leaves_no_traceback():
    with subprocess.Popen(
        [sys.executable, "-c", _BROKEN_PIPE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout.readline() == "line\n"
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 1


# For each command line: whether TensorFlow, which takes seconds, was imported.
_MISSPELT = """
import json, os, sys
from keras_resnet.commands import doors
for words in json.loads(sys.argv[1]):
    if os.fork() == 0:
        try:
            doors.main(["keras-resnet", "train", *words])
        finally:
            print("tensorflow" in sys.modules)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def _misspelt(*commands):
    """[TensorFlow imported?, status, ...] and the lines of the errors."""
    done = _python("-c", _MISSPELT, json.dumps(commands))
    return done.stdout.split(), done.stderr.splitlines()


def test_misspelt_words_are_refused_before_tensorflow_starts():
    said, errors = _misspelt(
        ["phtos"],
        ["phtos.csv"],
        ["a", "folder"],
        [".", "--recipe=digits"],
        ["--epochs=3"],
    )
    assert said == ["False", "2"] * 5
    for error, message in zip(
        errors,
        (
            "There is no folder or CSV file 'phtos'",
            "There is no folder or CSV file 'phtos.csv'",
            "Name one folder of pictures, or a --recipe. Received: 'a folder'",
            "Received: '.', --recipe=digits",
            "--epochs, --warmup_epochs and --validation go with a folder",
        ),
        strict=True,
    ):
        assert error.startswith("ERROR: ") and message in error
    # A name with a source is refused only after TensorFlow starts.
    said, _ = _misspelt(["folder:phtos"])
    assert said == ["True", "2"]


# Ctrl-C during a command that has no message of its own for it.
_STOPPED = """
import os, signal
from keras_resnet.commands import running
# What runs in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
running.run(lambda args: os.kill(os.getpid(), signal.SIGINT))
"""


def test_ctrl_c_leaves_one_word_and_no_traceback():
    done = _python("-c", _STOPPED)
    assert (done.returncode, done.stderr) == (130, "\nInterrupted.\n")


@pytest.mark.parametrize(
    "word, message",
    [
        ("--lr=0.1", "no flag --lr. Did you mean --learning_rate? .*'--lr=0.1"),
        ("--epochs=9", "Did you mean --steps? .*iterations: epochs times"),
        ("--batch-size=9", "Did you mean --batch_size?"),
        ("--lerning_rate=9", "Did you mean --learning_rate?"),
        ("--xyzzy=9", "no flag --xyzzy. --help lists all"),
        ("--steps=x", "--steps must be a positive integer. Received: 'x'"),
        ("--steps=0", "--steps must be a positive integer. Received: '0'"),
        ("--batch_size=-8", "--batch_size must be a positive.*'-8'"),
        ("--seed=1: 2", "--seed must be an integer. Received: '1: 2'"),
        ("--learning_rate=x", "--learning_rate must be a number. .*: 'x'"),
        ("--learning_rate=nan", "--learning_rate must be a finite number"),
        ("--nesterov=maybe", "--nesterov must be true or false. .*'maybe'"),
        ("--nonesterov=1", "does not take an argument"),
        ("--steps", "Missing value for flag --steps"),
        ("--flagfile=/none", "flagfile"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(run, word, message):
    done = run("--model=x", word)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("ERROR: ")
    assert re.search(message.replace("?", r"\?"), line), line


def test_a_flag_that_is_missing_is_named_with_its_help(run):
    done = run("--steps=3")
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: --model is missing. Path of a model.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("program", ["launch.py", "serve_web.py"])
def test_commands_without_tensorflow_say_it_too(program):
    done = _python(str(programs.PIPELINES / program), "--worker=3", "x")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "no flag --worker" in line


FIELDS = {field.name for field in dataclasses.fields(recipes.Recipe)}


@pytest.mark.parametrize(
    "theirs, ours, known",
    [
        ("lr", "learning_rate", FIELDS),
        ("max_steps", "steps", FIELDS),
        ("bs", "batch_size", FIELDS),
        ("arch", "variant", FIELDS),
        ("imgsz", "image_size", FIELDS),
        ("outdir", "workdir", {*FIELDS, "workdir"}),
        ("amp", "dtype", FIELDS),
        ("learningrate", "learning_rate", FIELDS),
        ("x", None, {*FIELDS, "help"}),
        # Only flags of the command are proposed.
        ("lr", None, {"model", "views"}),
        ("output", "output", {"output_dir", "output"}),
        ("ckpt", "model", {"model"}),
        ("ckpt", "weights", {"weights"}),
    ],
)
def test_what_other_libraries_call_it(theirs, ours, known):
    assert flags.suggestion(theirs, known) == ours


def _sources():
    for folder in ("keras_resnet/commands", "pipelines"):
        yield from sorted((programs.ROOT / folder).rglob("*.py"))


def test_every_proposal_is_a_flag_of_a_command():
    text = "".join(path.read_text(encoding="utf-8") for path in _sources())
    defined = re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', text)
    assert len(defined) > 50
    assert flags.ALIASES.keys() <= {*defined, *FIELDS, "help"}


def test_no_command_reads_its_flags_otherwise():
    """absl's own `app.run` ends with status 1."""
    runs = set()
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "run":
                if getattr(node.value, "id", "") == "app":
                    runs.add(path.name)
    assert runs == {"running.py"}


def test_every_text_names_the_command_that_the_reader_has():
    text = "See keras-resnet data inspect, not keras-resnet dating."
    spelled = doors.spell(text, "python pipelines/{}.py")
    assert "See python pipelines/data.py inspect" in spelled
    assert "keras-resnet dating" in spelled


def test_a_message_names_the_door_that_it_came_through():
    for words, name in (
        (("-m", "keras_resnet", "serve_web"), "python -m keras_resnet export"),
        (("pipelines/serve_web.py",), "python pipelines/export.py"),
    ):
        done = _python(*words, "a", "b")
        assert done.returncode == 2
        assert f"as {name} writes it" in done.stderr


@pytest.mark.parametrize("command", doors.COMMANDS)
def test_a_program_of_the_checkout_opens_each_command(command):
    source = (programs.PIPELINES / f"{command}.py").read_text()
    assert f'_door.open("{command}")' in source
    module = programs.ROOT / f"keras_resnet/commands/{command}.py"
    assert "def main(args):" in module.read_text()


def test_without_a_command_all_are_named():
    done = _python("-m", "keras_resnet")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert all(command in line for command in doors.COMMANDS)
    assert _python("-m", "keras_resnet", "--help").returncode == 0
    wrong = _python("-m", "keras_resnet", "trian")
    assert wrong.returncode == 2 and "Did you mean 'train'" in wrong.stderr
