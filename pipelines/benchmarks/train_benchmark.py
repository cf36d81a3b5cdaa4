"""The training step beside its peers: speed, first step, build, memory."""

import functools
import pathlib
import tempfile

from benchmarks import measure
from benchmarks import photographs
from benchmarks import train_types
from benchmarks.runner import Contender
from benchmarks.runner import Worker
from benchmarks.runner import take_turns
from benchmarks.train_report import CEILING
from benchmarks.train_report import OURS
from benchmarks.train_report import report as report

PACKAGES = "tensorflow", "keras", "torch", "torchvision"
FROM_FILES = "ours, images from JPEG files"
OUR_STEP = "benchmarks.steps:ours"
# {row: (function, its arguments beside the image's and the batch's size)}.
CONTENDERS = {
    OURS: (OUR_STEP, {}),
    "keras.applications, fit": ("benchmarks.steps:keras_applications", {}),
    "torchvision, PyTorch": ("benchmarks.steps:torchvision", {}),
    CEILING: ("benchmarks.convolutions:convolutions", {}),
    FROM_FILES: (OUR_STEP, {}),  # and the files' folder
    "ours, strides as torchvision": (OUR_STEP, {"variant": "resnet50_v1_5"}),
}
# The contenders whose first step a user waits for.
FIRST_STEPS = (OURS, "keras.applications, fit", "torchvision, PyTorch")
# How activations are kept: {heading: arguments of `keras_resnet.build`}.
REMATERIALISATION = {"all kept": {}, "rematerialised": {"remat": True}}

FULL = {
    "image_size": 160,
    "batch_size": 16,
    "rounds": 5,
    "steps": 3,  # timed ones of a turn
    "begins": 3,  # new processes whose first step is timed
    "files": 32,  # JPEG files that are made
    "input_steps": 100,  # batches that the input makes by itself
    # {row: argument of `steps.built`}.
    "builds": {
        "keras_resnet.ResNet152()": "resnet152",
        "keras.applications.ResNet152()": "keras.applications.ResNet152",
        'keras_resnet.build("resnet1202")': "resnet1202",
    },
    # (variant, pixels, images): one whose first step is timed once, and those
    # that are measured with each of REMATERIALISATION.
    "deepest": ("resnet1202", 32, 16),
    "memory": [("resnet50", 160, 16), ("resnet1001_v2", 32, 16)],
    "types": train_types.FULL,
}
# Some of `groups`; the others need networks of hundreds of layers.
SHORT = {**FULL, "image_size": 96, "rounds": 3, "begins": 2, "input_steps": 50}
SHORT["groups"] = ("steps", "first_steps", "input", "types/ResNet-20")
QUICK = {
    "image_size": 64,
    "batch_size": 2,
    "rounds": 1,
    "steps": 1,
    "begins": 1,
    "files": 2,
    "input_steps": 2,
    "builds": {
        "keras_resnet.ResNet50()": "resnet50",
        "keras.applications.ResNet50()": "keras.applications.ResNet50",
    },
    "deepest": ("resnet32", 32, 2),
    "memory": [("resnet20", 32, 2)],
    "types": train_types.QUICK,
}


def groups(amounts, say=print):
    """{group: () -> its part of the figures}."""
    types = {
        f"types/{name}": functools.partial(train_types.of, name, often, say)
        for name, often in amounts["types"].items()
    }
    found = {
        "steps": lambda: _with_files(_steps, amounts, say),
        "first_steps": lambda: _with_files(_first_steps, amounts, say),
        "input": lambda: _with_files(_input, amounts, say),
        **types,
        "builds": lambda: {"builds": _builds(amounts)},
        "deepest": lambda: {"deepest": _begin(amounts["deepest"], {})},
        "memory": lambda: {"memory": list(_memory(amounts["memory"]))},
    }
    return {name: found[name] for name in amounts.get("groups", found)}


def _with_files(measured, amounts, say):
    with tempfile.TemporaryDirectory() as folder:
        return measured(_contenders(amounts, folder), amounts, say)


def _contenders(amounts, folder):
    """{row: `Contender`}; JPEG files are written into the folder."""
    of_class = pathlib.Path(folder, "train", "photographs")
    of_class.mkdir(parents=True)
    pathlib.Path(folder, "validation").mkdir()  # so that nothing is held out
    photographs.write(of_class, "500x375", amounts["files"])
    size = {key: amounts[key] for key in ("image_size", "batch_size")}
    contenders = {
        name: Contender(function, {**size, **arguments}, amounts["batch_size"])
        for name, (function, arguments) in CONTENDERS.items()
    }
    contenders[FROM_FILES].arguments["folder"] = folder
    return contenders


def _steps(contenders, amounts, say):
    often = {key: amounts[key] for key in ("rounds", "steps")}
    turns = take_turns(contenders, **often, say=say)
    speed = measure.summarise(
        turns.rounds,
        ("images_per_second", "step_seconds", "step_cpu_seconds"),
        {"ours_over_this": ("images_per_second", OURS)},
    )
    return {"speed": speed, "missing": turns.missing}


def _first_steps(contenders, amounts, say):
    begun, missing = {}, {}
    for name in FIRST_STEPS:
        say(f"  {name} ...")
        try:
            begun[name] = _begins(contenders[name], amounts)
        except RuntimeError as error:
            missing[name] = str(error).partition("\n")[0]
    first = {n: summarise_begun(b, begun[OURS]) for n, b in begun.items()}
    return {"first_steps": first, "missing": missing}


def _begins(contender, amounts):
    return [contender.begin() for _ in range(amounts["begins"])]


def _input(contenders, amounts, say):
    """Images a second of a contender's input by itself."""
    function = "benchmarks.input_contenders:stream"
    arguments = contenders[FROM_FILES].arguments
    with Worker(Contender(function, arguments)) as worker:
        seconds = worker.take(amounts["input_steps"])
    images = amounts["input_steps"] * amounts["batch_size"]
    return {"input": {"images_per_second": images / seconds["wall_seconds"]}}


def summarise_begun(of_one, of_ours):
    """Spreads of seconds and of megabytes, of lists of `Worker.begun`."""
    first = _seconds(of_one, "first_step")
    megabytes = [key for key in of_one[0] if key.endswith("_megabytes")]
    return {
        "build": measure.spread(_seconds(of_one, "build")),
        "first_step": measure.spread(first),
        "ours_over_this": measure.ratio(_seconds(of_ours, "first_step"), first),
        **{k: measure.spread(measure.column(of_one, k)) for k in megabytes},
    }


def _seconds(begun, key):
    return [one[key]["wall_seconds"] for one in begun]


def _builds(amounts):
    """{row: spread of seconds} over new processes."""
    found = {}
    for row, name in amounts["builds"].items():
        contender = Contender("benchmarks.steps:built", {"name": name})
        begun = _begins(contender, amounts)
        found[row] = measure.spread(_seconds(begun, "build"))
    return found


def _memory(networks):
    for network in networks:
        for kept, choices in REMATERIALISATION.items():
            yield {"kept": kept, **_begin(network, choices)}


def _begin(network, choices):
    """What the start of one of our networks takes."""
    names = "variant", "image_size", "batch_size"
    arguments = dict(zip(names, network, strict=True))
    begun = Contender(OUR_STEP, {**arguments, "choices": choices}).begin()
    return {"network": "{}, {} px, {} images".format(*network)} | begun
