"""Lives of train.py: how one starts, and what a finished run leaves."""

import dataclasses
import hashlib
import json
import pathlib
import runpy
import sys
import typing
import zipfile

PIPELINES = pathlib.Path(__file__).resolve().parents[1]

_STEPS = (
    "--recipe=digits",
    "--batch_size=48",
    "--steps=16",
    "--boundaries=6,11",
    "--log_every_steps=1",
    "--eval_every_steps=8",
    "--checkpoint_every_steps=2",
)
_TINY = ("--variant=soak", *_STEPS)
_SMALL = ("--variant=resnet20", "--depths=1,1,1", *_STEPS)
_LATER_PRACTICE = (
    "--ema_momentum=0.5",
    "--precise_bn_batches=2",
    "--gradient_accumulation_steps=2",
)


class Configuration(typing.NamedTuple):
    """A way to train."""

    share: float  # of all kills
    kills: tuple  # the least and the greatest number of a case
    flags: tuple  # of train.py
    # The words before the flags, if a life is a command of its own; () if it
    # is forked from this process.
    command: tuple = ()
    launcher: bool = False  # whether it starts workers; one of them is killed


_TRAIN = (sys.executable, str(PIPELINES / "train.py"))
_LAUNCH = (sys.executable, str(PIPELINES / "launch.py"))
_LAUNCH += ("--workers=2", "--pause=0.1", "--", *_TRAIN)
_TWO_DEVICES = ("--strategy=mirrored", "--devices=2")
_TWO_WORKERS = ("--strategy=multi_worker", "--deterministic")
CONFIGURATIONS = {
    "one_device": Configuration(0.70, (4, 14), _TINY),
    "two_devices": Configuration(
        0.23, (4, 14), (*_TINY, *_TWO_DEVICES, *_LATER_PRACTICE)
    ),
    "command": Configuration(0.045, (2, 5), _SMALL, _TRAIN),
    "workers": Configuration(
        0.025, (1, 3), (*_SMALL, *_TWO_WORKERS), _LAUNCH, launcher=True
    ),
}


def add_variant():
    """Adds the network of a forked life: 900 weights and a random seed."""
    from keras_resnet.networks import specs

    stem = dataclasses.replace(specs.STEMS["cifar"], convolutions=((4, 3, 1),))
    specs.STEMS["soak"] = stem
    specs.VARIANTS["soak"] = dataclasses.replace(
        specs.VARIANTS["resnet20"],
        stem="soak",
        depths=(1, 1),
        filters=(4, 8),
        shortcut="dropout",
    )


def train(*flags):
    """Runs train.py in this process, as a command does; its exit status."""
    from absl import flags as absl_flags

    add_variant()
    # Remove the flags of the program that this process was forked from.
    for name in list(absl_flags.FLAGS):
        module = absl_flags.FLAGS.find_module_defining_flag(name)
        if not module.startswith(("absl", "keras_resnet")):
            delattr(absl_flags.FLAGS, name)
    sys.argv = ["train.py", *flags]
    try:
        runpy.run_path(str(PIPELINES / "train.py"), run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    return 0


def ends(workdir):
    """What a finished run leaves that must be equal: {name: sha256}."""
    import h5py
    import numpy as np
    import tensorflow as tf

    workdir = pathlib.Path(workdir)
    last = sorted((workdir / "checkpoints").glob("step-*"))[-1]
    reader = tf.train.load_checkpoint(str(last / "variables"))
    found = {
        f"checkpoint {name}": _digest(np.array(reader.get_tensor(name)))
        for name in reader.get_variable_to_shape_map()
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }
    state = json.loads((last / "state.json").read_text())
    del state["files"], state["sha256"]
    found["state.json"] = _digest(json.dumps(state, sort_keys=True).encode())

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[f"model {name}"] = _digest(np.array(item[()]))

    with zipfile.ZipFile(workdir / "model.keras") as archive:
        h5py.File(archive.open("model.weights.h5")).visititems(add)
    for name in ("metrics.jsonl", "labels.txt", "card.json"):
        found[name] = _digest((workdir / name).read_bytes())
    return found


def _digest(data):
    """The sha256 of bytes or of an array."""
    return hashlib.sha256(memoryview(data).cast("B")).hexdigest()
