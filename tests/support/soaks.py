"""Runs cases of the campaign as a plan says, with a planted fault or without.

    python tests/support/soaks.py WORKDIR PLAN.json

The plan is a list of {"seed", "kinds": {kind: [numbers]}}. With "plant" every
kind meets its planted fault. With "inputs" an entry is a whole campaign of its
kinds. Each record is a line. The cases of the kind "harm" do harm.

It runs in its own process: TensorFlow must not have started where cases fork.
"""

import contextlib
import json
import os
import pathlib
import sys
import time
import types
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "pipelines"), str(ROOT)]

import _app  # noqa: E402, F401  imports TensorFlow
import tensorflow as tf  # noqa: E402
from soaking import campaign  # noqa: E402
from soaking import kinds  # noqa: E402
from soaking import page_requests  # noqa: E402

from keras_resnet.data.pixels import decoding  # noqa: E402
from keras_resnet.data.stores import reading  # noqa: E402
from keras_resnet.export.verification import verify  # noqa: E402
from keras_resnet.inference import onnx_predictor  # noqa: E402
from keras_resnet.recipes import checks  # noqa: E402
from keras_resnet.training.checkpoints import checkpoint  # noqa: E402
from keras_resnet.training.checkpoints import saver as saver_lib  # noqa: E402
from keras_resnet.weights import loading  # noqa: E402


def _assigns_first(model, path, load=loading.load_weights):
    model.weights[0].assign(model.weights[0] * 0)
    load(model, path)


def _without_crc(records):
    def read(index):
        path = records.paths[records.files[int(index)]]
        begin = records.offsets[int(index)]
        data = pathlib.Path(path).read_bytes()
        end = begin + records.sizes[int(index)]
        return tf.constant(data[begin + 12 : end - 4])

    return read


def _forgets_momentum(saver, restore=saver_lib.Saver.restore):
    found = restore(saver)
    for path, variable in saver.variables.items():
        if "momentum" in path:
            variable.assign(tf.zeros_like(variable))
    return found


def _cuts(encoded, decode=decoding.decode):
    return decode(encoded)[:-1]


def _adds_a_class(
    predictor, given, predict=onnx_predictor.OnnxPredictor._predict
):
    answer = predict(predictor, given)
    return tf.concat([answer, answer[:, :1]], axis=1)


# kind -> what to break in the library: (object, name, replacement).
PLANTS = {
    "images": (decoding, "decode", _cuts),
    "weights": (loading, "load_weights", _assigns_first),
    "tfrecords": (reading, "reader", _without_crc),
    "recipes": (checks, "check", lambda recipe: None),
    "checkpoints": (checkpoint, "_check", lambda good, message: None),
    "manifests": (verify, "find_changes", lambda directory: ({}, 1)),
    "artifacts": (onnx_predictor.OnnxPredictor, "_predict", _adds_a_class),
    "kills": (saver_lib.Saver, "restore", _forgets_momentum),
}
# The planted fault of page requests is in another process.
_SERVE_ANYTHING = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from keras_resnet.commands import running, serve_web
assert callable(serve_web.Handler._is_of_page)
serve_web.Handler._is_of_page = lambda self: True
running.run(serve_web.main)
"""


def _plant(name, workdir):
    if name == "page_requests":
        path = workdir / "serve_anything.py"
        path.write_text(_SERVE_ANYTHING)
        return mock.patch.object(page_requests, "SERVE", path)
    return mock.patch.object(*PLANTS[name])


_numbers = []  # numbers of the harmful cases to come


def _harm(corpus, case, folder):
    """A judge: the cases 1, 2 and 3 crash, hang and take memory."""
    del corpus, folder
    number = case["number"]
    if number == 1:
        os.abort()
    if number == 2:
        time.sleep(60)
    if number == 3:
        bytearray(400 << 20)


HARMFUL = types.SimpleNamespace(
    make=lambda folder: None,
    load=lambda folder: None,
    mutate=lambda corpus, rng: {"number": _numbers.pop(0), "what": "harm"},
    judge=_harm,
)
HARM = {"harm": kinds.Kind(1, HARMFUL, seconds=2, megabytes=300)}


def _records(plan, runner, workdir):
    for name, numbers in plan["kinds"].items():
        # A harmful child pops the numbers from the front.
        _numbers[:] = numbers
        planted = "plant" in plan
        with _plant(name, workdir) if planted else contextlib.nullcontext():
            if name == kinds.KILLS:
                yield from map(runner.kill, numbers)
            else:
                yield from runner.inputs(name, numbers)


def main(workdir, path):
    workdir, runners = pathlib.Path(workdir), {}
    for number, plan in enumerate(json.loads(pathlib.Path(path).read_text())):
        table = HARM if "harm" in plan["kinds"] else kinds.KINDS
        if "inputs" in plan:
            table = {name: kinds.KINDS[name] for name in plan["kinds"]}
        folder = workdir / plan.get("workdir", "")
        key = folder, plan["seed"]
        if key not in runners:
            runners[key] = campaign.Campaign(*key, table)
        if "inputs" in plan:
            with runners[key].alone():
                runners[key].run(
                    {"date": "2020-01-01", "commit": "abc"},
                    inputs=plan["inputs"],
                    kill_count=0,
                    each=lambda book: None,
                )
            continue
        for record in _records(plan, runners[key], workdir):
            print(json.dumps({"plan": number, **record}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
