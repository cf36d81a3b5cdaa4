"""The training step beside its peers: speed, first step, build, memory."""

import pathlib
import tempfile

from benchmarks import measure
from benchmarks import photographs
from benchmarks import runner
from benchmarks.runner import Contender
from benchmarks.runner import Worker
from benchmarks.train_report import CEILING
from benchmarks.train_report import OURS
from benchmarks.train_report import report as report

FROM_FILES = "ours, images from JPEG files"
OUR_STEP = "benchmarks.keras_steps:ours"
# {row: (function, its arguments beside the image's and the batch's size)}.
CONTENDERS = {
    OURS: (OUR_STEP, {}),
    "keras.applications, fit": ("benchmarks.keras_steps:their_step", {}),
    "torchvision, PyTorch": ("benchmarks.torch_steps:torchvision", {}),
    CEILING: ("benchmarks.convolution_steps:convolutions", {}),
    FROM_FILES: (OUR_STEP, {}),  # and the files' folder
    "ours, strides as torchvision": (OUR_STEP, {"variant": "resnet50_v1_5"}),
}
# Those whose first step a user waits for.
FIRST_STEPS = (OURS, "keras.applications, fit", "torchvision, PyTorch")
# How activations are kept: {heading: arguments of `keras_resnet.build`}.
REMATERIALISATION = {"all kept": {}, "rematerialised": {"remat": True}}


def _network(variant, image_size, batch_size):
    """Arguments of `keras_steps.ours`."""
    size = {"image_size": image_size, "batch_size": batch_size}
    return {"variant": variant, **size}


FULL = {
    "image_size": 160,
    "batch_size": 16,
    "rounds": 5,
    "steps": 3,  # timed ones of a turn
    "begins": 3,  # new processes whose first step is timed
    "files": 32,  # JPEG files that are made
    "input_steps": 100,  # batches that the input makes by itself
    # {row: (function of `keras_steps`, name)}.
    "builds": {
        "keras_resnet.ResNet152()": ("our_model", "resnet152"),
        "keras.applications.ResNet152()": ("their_model", "ResNet152"),
        'keras_resnet.build("resnet1202")': ("our_model", "resnet1202"),
    },
    # The network whose first step is timed once.
    "deepest": _network("resnet1202", 32, 16),
    # Those that are measured with each of REMATERIALISATION.
    "memory": [
        _network("resnet50", 160, 16),
        _network("resnet1001_v2", 32, 16),
    ],
    "profiled_steps": 3,
}
QUICK = {
    "image_size": 64,
    "batch_size": 2,
    "rounds": 1,
    "steps": 1,
    "begins": 1,
    "files": 2,
    "input_steps": 2,
    "builds": {
        "keras_resnet.ResNet50()": ("our_model", "resnet50"),
        "keras.applications.ResNet50()": ("their_model", "ResNet50"),
    },
    "deepest": _network("resnet32", 32, 2),
    "memory": [_network("resnet20", 32, 2)],
    "profiled_steps": 1,
}


def run(amounts, say=print):
    """The record of a run."""
    figures = {
        "benchmark": "train",
        "machine": measure.machine(
            "tensorflow", "keras", "torch", "torchvision"
        ),
        "amounts": amounts,
    }
    with tempfile.TemporaryDirectory() as folder:
        contenders = _contenders(amounts, folder)
        figures |= _steps(contenders, amounts, say)
        say("Input alone ...")
        figures["input"] = _input(folder, amounts)
    say("Building ...")
    figures["builds"] = _builds(amounts)
    say("Memory ...")
    figures["deepest"] = _begin(amounts["deepest"])
    figures["memory"] = [
        {"kept": kept, **_begin(network, **choices)}
        for network in amounts["memory"]
        for kept, choices in REMATERIALISATION.items()
    ]
    say("Profile ...")
    arguments = {"arguments": contenders[OURS].arguments}
    arguments["steps"] = amounts["profiled_steps"]
    profile = Contender("benchmarks.step_profile:measure", arguments)
    return {**figures, "profile": profile.begin()["result"]}


def _contenders(amounts, folder):
    """{row: `Contender`}; JPEG files are written into the folder."""
    of_class = pathlib.Path(folder, "train", "photographs")
    of_class.mkdir(parents=True)
    photographs.write(of_class, "500x375", amounts["files"])
    size = {key: amounts[key] for key in ("image_size", "batch_size")}
    contenders = {
        name: Contender(function, {**size, **arguments}, amounts["batch_size"])
        for name, (function, arguments) in CONTENDERS.items()
    }
    contenders[FROM_FILES].arguments["folder"] = folder
    return contenders


def _steps(contenders, amounts, say):
    turns = runner.take_turns(
        contenders, rounds=amounts["rounds"], steps=amounts["steps"], say=say
    )
    speed = measure.summarise(
        turns.rounds,
        ("images_per_second", "step_seconds", "step_cpu_seconds"),
        {"ours_over_this": ("images_per_second", OURS)},
    )
    say("First steps ...")
    begun = {
        name: [turns.begun[name]]
        + [contenders[name].begin() for _ in range(amounts["begins"] - 1)]
        for name in FIRST_STEPS
        if name in turns.begun
    }
    first = {
        name: summarise_begun(of_one, begun[OURS])
        for name, of_one in begun.items()
    }
    return {"speed": speed, "missing": turns.missing, "first_steps": first}


def _input(folder, amounts):
    arguments = {"folder": folder, "batch_size": amounts["batch_size"]}
    arguments["image_size"] = amounts["image_size"]
    function = "benchmarks.input_contenders:stream"
    with Worker(Contender(function, arguments)) as worker:
        seconds = worker.take(amounts["input_steps"])
    images = amounts["input_steps"] * amounts["batch_size"]
    return {"images_per_second": images / seconds["wall_seconds"]}


def summarise_begun(of_one, of_ours):
    """Seconds since the imports and megabytes of some new processes.

    Args:
        of_one: list of `Worker.begun`.
        of_ours: the same of ours.

    Returns:
        spreads: "build", "first_step", "ours_over_this" of the first step, and
        those of the megabytes.
    """
    first = _seconds(of_one, "first_step")
    megabytes = {
        key: measure.spread([one[key] for one in of_one])
        for key in of_one[0]
        if key.endswith("_megabytes")
    }
    return {
        "build": measure.spread(_seconds(of_one, "build")),
        "first_step": measure.spread(first),
        "ours_over_this": measure.ratio(_seconds(of_ours, "first_step"), first),
        **megabytes,
    }


def _seconds(begun, key):
    return [one[key]["wall_seconds"] for one in begun]


def _builds(amounts):
    """{row: spread of seconds} over new processes."""
    begun = {name: [] for name in amounts["builds"]}
    for _ in range(amounts["begins"]):
        for name, (function, network) in amounts["builds"].items():
            function = f"benchmarks.keras_steps:{function}"
            begun[name].append(Contender(function, {"name": network}).begin())
    return {
        name: measure.spread(_seconds(of_one, "build"))
        for name, of_one in begun.items()
    }


def _begin(network, **choices):
    """What the start of one of our networks takes."""
    begun = Contender(OUR_STEP, {**network, "choices": choices}).begin()
    return {"network": "{}, {} px, {} images".format(*network.values())} | begun
