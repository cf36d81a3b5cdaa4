"""The training step beside its peers: speed, first step, build, memory."""

import pathlib
import tempfile

from benchmarks import measure
from benchmarks import photographs
from benchmarks import pictures
from benchmarks import tables
from benchmarks import train_types
from benchmarks.runner import Contender
from benchmarks.runner import Worker
from benchmarks.runner import take_turns

OURS, CEILING = "ours", "ceiling: the convolutions alone"
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
# Those whose first step a user waits for.
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
    # (variant, pixels, images): whose first step is timed once, and those
    # that are measured with each of REMATERIALISATION.
    "deepest": ("resnet1202", 32, 16),
    "memory": [("resnet50", 160, 16), ("resnet1001_v2", 32, 16)],
    "types": train_types.FULL,
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
        "keras_resnet.ResNet50()": "resnet50",
        "keras.applications.ResNet50()": "keras.applications.ResNet50",
    },
    "deepest": ("resnet32", 32, 2),
    "memory": [("resnet20", 32, 2)],
    "types": train_types.QUICK,
}


def run(amounts, say=print):
    """The record of a run."""
    machine = measure.machine("tensorflow", "keras", "torch", "torchvision")
    figures = {"benchmark": "train", "machine": machine, "amounts": amounts}
    with tempfile.TemporaryDirectory() as folder:
        contenders = _contenders(amounts, folder)
        figures |= _steps(contenders, amounts, say)
        say("Input alone ...")
        figures["input"] = _input(contenders[FROM_FILES], amounts)
    figures["types"] = train_types.run(amounts["types"], say)
    say("Building, memory ...")
    figures["builds"] = _builds(amounts)
    figures["deepest"] = _begin(amounts["deepest"], {})
    figures["memory"] = [
        {"kept": kept, **_begin(network, choices)}
        for network in amounts["memory"]
        for kept, choices in REMATERIALISATION.items()
    ]
    return figures


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
    say("First steps ...")
    begun = {
        name: [turns.begun[name], *_begins(contenders[name], amounts, 1)]
        for name in FIRST_STEPS
        if name in turns.begun
    }
    first = {n: summarise_begun(b, begun[OURS]) for n, b in begun.items()}
    return {"speed": speed, "missing": turns.missing, "first_steps": first}


def _begins(contender, amounts, but=0):
    return [contender.begin() for _ in range(amounts["begins"] - but)]


def _input(contender, amounts):
    """Images a second of the input of a contender by itself."""
    function = "benchmarks.input_contenders:stream"
    with Worker(Contender(function, contender.arguments)) as worker:
        seconds = worker.take(amounts["input_steps"])
    images = amounts["input_steps"] * amounts["batch_size"]
    return {"images_per_second": images / seconds["wall_seconds"]}


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


def _begin(network, choices):
    """What the start of one of our networks takes."""
    names = "variant", "image_size", "batch_size"
    arguments = dict(zip(names, network, strict=True))
    begun = Contender(OUR_STEP, {**arguments, "choices": choices}).begin()
    return {"network": "{}, {} px, {} images".format(*network)} | begun


def report(figures):
    """The section "Training" of docs/PERFORMANCE.md, and panels."""
    amounts, deepest = figures["amounts"], figures["deepest"]
    size = f"{amounts['image_size']} px, {amounts['batch_size']} images"
    protocol = (
        f"ResNet-50, {size} a step; {amounts['rounds']} rounds in turns after "
        f"one to warm up, {amounts['steps']} steps a turn"
    )
    builds = {f"`{call}`": {"s": s} for call, s in figures["builds"].items()}
    alone = figures["input"]["images_per_second"]
    step = figures["speed"][OURS]["images_per_second"]["median"]
    parts = [
        tables.machine(figures, protocol),
        "### Steps",
        tables.of_rows(figures["speed"], SPEED),
        *tables.missing(figures),
        f"The input by itself makes {alone:,.0f} images/s of those files, "
        f"{alone / step:,.0f} times as many as the step takes.",
        *train_types.report(figures.get("types", {})),
        "### The first step",
        tables.of_rows(figures["first_steps"], FIRST_STEP),
        f"The first step of {deepest['network']} is done "
        f"{deepest['first_step']['wall_seconds']:.0f} s after the imports, "
        f"{deepest['build']['wall_seconds']:.0f} s of them for building.",
        "### Building",
        tables.of_rows(builds, BUILD),
        "### Memory of a step",
        tables.of_rows(_memory_rows(figures, f"resnet50, {size}"), MEMORY),
    ]
    return parts, [_panel(figures, *row) for row in PANELS]


SPEED = {
    "contender": ("name", ""),
    "images/s": ("images_per_second", ".3g"),
    "s a step": ("step_seconds", ".2f"),
    "CPU s a step": ("step_cpu_seconds", ".2f"),
    "ours over it, images/s": ("ours_over_this", ".2f"),
}
FIRST_STEP = {
    "contender": ("name", ""),
    "built, s": ("build", ".1f"),
    "first step done, s": ("first_step", ".1f"),
    "ours over it, seconds": ("ours_over_this", ".2f"),
}
BUILD = {"call": ("name", ""), "s": ("s", ".1f")}
MEMORY = {
    "network": ("network", ""),
    "contender": ("contender", ""),
    "activations": ("kept", ""),
    "MB built": ("built_megabytes", ",.0f"),
    "most": ("most_megabytes", ",.0f"),
    "more for the step": (
        lambda row: row["most_megabytes"] - row["built_megabytes"],
        ",.0f",
    ),
}
# (words, row of a line across, part of the figures, key of its rows).
PANELS = (
    ("images a second", CEILING, "speed", "images_per_second"),
    ("seconds to the first step", None, "first_steps", "first_step"),
)


def _panel(figures, words, bound, part, key):
    bars = {name: row[key] for name, row in figures[part].items()}
    unit = f"{words}: median; the line is the spread"
    return pictures.panel(words, unit, bars, bound)


def _memory_rows(figures, network):
    """Our networks, then the peers, whose figures are of `first_steps`."""
    for row in figures["memory"]:
        yield {**row, "contender": OURS}
    for name, row in figures["first_steps"].items():
        if name != OURS:
            keys = "built_megabytes", "most_megabytes"
            yield {
                "network": network,
                "contender": name,
                "kept": "all kept",
                **{key: row[key]["median"] for key in keys},
            }
