"""train.py with a network of 8 layers, and faults on demand.

    tiny_worker.py FAULT... -- flags of train.py

FAULT is KIND:WORKER:STEP: the worker does KIND to itself at that step, once for
each workdir. BN statistics of every replica are saved beside the workdir before
their means replace them.
"""

import dataclasses
import json
import os
import pathlib
import runpy
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "pipelines")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _app  # noqa: E402, F401
import numpy as np  # noqa: E402

from keras_resnet.networks import specs  # noqa: E402
from keras_resnet.training.engines import on_tensorflow  # noqa: E402
from keras_resnet.weights import transfer  # noqa: E402

SIGNALS = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "term": signal.SIGTERM,
}


def main(words):
    at = words.index("--")
    faults, words = words[:at], words[at + 1 :]
    specs.VARIANTS["resnet20"] = dataclasses.replace(
        specs.VARIANTS["resnet20"], depths=(1, 1, 1)
    )
    index = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))
    index = index["task"]["index"]
    (workdir,) = [w.split("=")[1] for w in words if "--workdir" in w]
    _hurt(faults, index, workdir)
    _save_statistics(index, workdir)
    sys.argv = ["train.py", *words]
    runpy.run_path(str(ROOT / "pipelines" / "train.py"), run_name="__main__")


def _hurt(faults, index, workdir):
    take = on_tensorflow.TensorFlowEngine.train
    mine = [f.split(":") for f in faults if f.split(":")[1] == str(index)]

    def train(engine, step, rates):
        for kind, _, at in mine:
            done = pathlib.Path(f"{workdir}.{kind}{index}-{at}")
            if step == int(at) and not done.exists():
                done.touch()
                if kind == "error":
                    raise ValueError("on demand")
                os.kill(os.getpid(), SIGNALS[kind])
        return take(engine, step, rates)

    on_tensorflow.TensorFlowEngine.train = train


def _save_statistics(index, workdir):
    sync = on_tensorflow.TensorFlowEngine.sync_batch_norm

    def save_and_sync(engine):
        values = {
            variable.path: [
                copy.numpy()
                for copy in engine.strategy.experimental_local_results(
                    variable.value
                )
            ]
            for layer in transfer.batch_norms(engine.model)
            for variable in (layer.moving_mean, layer.moving_variance)
        }
        np.savez(f"{workdir}.statistics{index}.npz", **values)
        sync(engine)

    on_tensorflow.TensorFlowEngine.sync_batch_norm = save_and_sync


if __name__ == "__main__":
    main(sys.argv[1:])
