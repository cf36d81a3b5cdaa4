"""Runs train.py again and again, and kills it where a plan says.

    python tests/support/lives.py PLAN.json --steps=12

A life is a process of its own, forked after TensorFlow is imported and before
it starts. The plan is a list of lives. Each prints its exit status, which is -9
when SIGKILL ended it. A life's fields:

    flags     its own flags, after the flags of all lives

    at, n     the name of a point below; kills at the n-th time it is reached
    signal    to kill with; SIGKILL unless given
    forget    what it leaves out when it restores, for negative controls: a
              key of `FORGET`, or "statistics"
"""

import dataclasses
import json
import os
import pathlib
import runpy
import signal
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "pipelines"), str(ROOT)]

import _app  # noqa: E402, F401  imports TensorFlow
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from keras_resnet.networks import specs  # noqa: E402
from keras_resnet.training import reporting  # noqa: E402
from keras_resnet.training import step  # noqa: E402
from keras_resnet.training.checkpoints import saver as saver_lib  # noqa: E402

# A network that is traced in seconds and draws random numbers.
specs.VARIANTS["resnet6"] = dataclasses.replace(
    specs.VARIANTS["resnet20"],
    depths=(1, 1),
    filters=(16, 32),
    shortcut="dropout",
)


class _Evaluation:
    """Stands between the loop and the evaluation step, to count batches."""

    @staticmethod
    def batch(eval_step, batch):
        return eval_step(batch)


def _make_eval_step(*args, make=step.make_eval_step, **kwargs):
    eval_step = make(*args, **kwargs)
    return lambda batch: _Evaluation.batch(eval_step, batch)


step.make_eval_step = _make_eval_step


def _step(name):
    return pathlib.Path(name).name.startswith("step-")


def _named(name):
    return lambda path: pathlib.Path(path).name == name


# point: (object, its function, None or a test of the last argument that says
# whether a call counts, whether to kill before or after the call).
POINTS = {
    "step": (reporting.Reporter, "after_step", None, "after"),
    "tracing": (keras.losses, "sparse_categorical_crossentropy", None, "after"),
    "evaluation": (_Evaluation, "batch", None, "after"),
    "metrics": (reporting.Reporter, "after_evaluation", None, "after"),
    "metrics_rename": (os, "replace", _named("metrics.jsonl"), "before"),
    "variables": (tf.train.Checkpoint, "write", None, "after"),
    "before_rename": (os, "rename", _step, "before"),
    "after_rename": (os, "rename", _step, "after"),
    "restored": (saver_lib.Saver, "restore", None, "after"),
    "curves": (os, "replace", _named("curves.png"), "before"),
    "model": (keras.Model, "save", None, "after"),
    "model_rename": (os, "replace", _named("model.keras"), "before"),
    "card": (os, "replace", _named("card.json"), "before"),
}


def _zero(part):
    def forget(saver, state):
        del state
        for path, variable in saver.variables.items():
            if part in path:
                variable.assign(tf.zeros_like(variable))

    return forget


def _drop_schedule(saver, state):
    del saver
    state["schedule"] = {
        "warm": True,
        "factor": 1.0,
        "best_error": float("inf"),
        "evaluations_since_best": 0,
    }


FORGET = {
    "momentum": _zero("momentum"),
    "seeds": _zero("seed"),
    "schedule": _drop_schedule,
}


def _kill_at(point, n, number):
    owner, name, matches, when = POINTS[point]
    function, count = getattr(owner, name), 0

    def counting(*args, **kwargs):
        nonlocal count
        count += matches is None or matches(args[-1])
        due = count == n and (matches is None or matches(args[-1]))
        if due and when == "before":
            _kill(number)
        result = function(*args, **kwargs)
        if due and when == "after":
            _kill(number)
        return result

    setattr(owner, name, counting)


def _kill(number):
    # Not twice: a signal that is only noted leaves the process alive.
    if not _kill.done:
        _kill.done = True
        os.kill(os.getpid(), number)


_kill.done = False


def _forget(what):
    restore = saver_lib.Saver.restore

    def forgetful(saver):
        state, statistics = restore(saver)
        if what == "statistics":  # of each replica: do the means suffice?
            return state, None
        FORGET[what](saver, state)
        return state, statistics

    saver_lib.Saver.restore = forgetful


def _live(life, flags):
    """Runs train.py in the child, until its end."""
    number = life.get("signal", signal.SIGKILL)
    if "at" in life:
        _kill_at(life["at"], life["n"], number)
    if "forget" in life:
        _forget(life["forget"])
    sys.argv = ["train.py", *flags, *life.get("flags", ())]
    runpy.run_path(str(ROOT / "pipelines" / "train.py"), run_name="__main__")


def main(plan, *flags):
    for life in json.loads(pathlib.Path(plan).read_text()):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _live(life, flags)
            except SystemExit as end:
                status = end.code or 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(f"status {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
