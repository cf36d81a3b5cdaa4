"""The input pipeline beside its peers, on files and on small images."""

import functools
import pathlib
import tempfile

from benchmarks import input_policies
from benchmarks import measure
from benchmarks import photographs
from benchmarks import pictures
from benchmarks import runner
from benchmarks import tables
from benchmarks.runner import Contender

from keras_resnet.errors import require

PACKAGES = "tensorflow", "pillow"
OURS, CEILING = "ours", "ceiling: decode the crop only"
KNOWN = "known windows: decode, resize, round, flip"
# {row: (key of `input_contenders.LARGE`, its further arguments)}.
LARGE = {
    OURS: ("ours", {}),
    "ours, with PCA colour": ("ours", {"augmentation": "imagenet"}),
    "tf.data, plain": ("plain", {"antialias": False}),
    "tf.data, antialiased": ("plain", {"antialias": True}),
    "Pillow, as torchvision": ("pillow", {}),
    KNOWN: ("window", {}),
    CEILING: ("ceiling", {}),
}
# {row: key of `input_contenders.SMALL`}.
SMALL = {OURS: "ours", "tf.data, example by example": "plain"}

FULL = {
    "rounds": 6,
    "batch_size": 32,
    # For each set: files that are made, images of a round. The start of a
    # round takes some 80 ms of CPU, whatever reads.
    "sets": {
        "500x375": {"files": 32, "images": 2048},
        "12 megapixels": {"files": 8, "images": 64},
    },
    "patches": 50_000,  # small images in memory, as CIFAR has
    "small_images": 25_600,
    "policy_images": 512,
}
SHORT = {
    **FULL,
    "rounds": 3,
    "sets": {"500x375": {"files": 16, "images": 1024}},
    "patches": 10_000,
    "small_images": 12_800,
}
QUICK = {
    "rounds": 1,
    "batch_size": 4,
    "sets": {
        "500x375": {"files": 4, "images": 8},
        "12 megapixels": {"files": 1, "images": 4},
    },
    "patches": 256,
    "small_images": 256,
    "policy_images": 64,
}


def groups(amounts, images=None, images_per_round=512, say=print):
    """{group: () -> its figures}; `images` is a user's folder of JPEG files."""
    if images:
        amounts = of_user(amounts, images, images_per_round)
    of_sets = {
        name.replace(" ", "_"): functools.partial(
            _of_set, name, images, amounts, say
        )
        for name in amounts["sets"]
    }
    policies = {
        f"policies/{name}": functools.partial(_policy, name, amounts, say)
        for name in input_policies.NAMES
    }
    small = {"small": functools.partial(_small, amounts, say)}
    return {**of_sets, **small, **policies}


def _of_set(name, images, amounts, say):
    of_set = amounts["sets"][name]
    with tempfile.TemporaryDirectory() as folder:
        found = _write(pathlib.Path(folder), name, of_set, images)
        found |= _large(name, folder, of_set["images"], amounts, say)
    return {"rounds": amounts["rounds"], "sets": {name: found}}


def of_user(amounts, folder, count):
    """The amounts for a folder of JPEG files, `count` in one round."""
    batch = amounts["batch_size"]
    require(
        count >= batch,
        f"--images_per_round must be at least a batch of {batch}. "
        f"Received: {count}.",
    )
    of_set = {"images": count // batch * batch}
    return {**amounts, "sets": {pathlib.Path(folder).resolve().name: of_set}}


def _write(root, name, of_set, folder):
    """Puts the files of a set into ROOT/train/CLASS/ and describes them."""
    of_class = root / "train" / "photographs"
    of_class.mkdir(parents=True)
    (root / "validation").mkdir()  # so that nothing is held out
    if folder:
        files = photographs.collect(of_class, folder, of_set["images"])
        note = "JPEG files of the user"
    else:
        files = photographs.write(of_class, name, of_set["files"])
        note = photographs.SETS[name]["note"]
    return {"note": note, **photographs.describe(files)}


def _large(name, folder, images, amounts, say):
    arguments = {"folder": folder, "batch_size": amounts["batch_size"]}
    work = {
        row: {"batches": batches, **arguments, **choices}
        for row, (batches, choices) in LARGE.items()
    }
    return _speed(name, "large", work, images, amounts, say)


def _small(amounts, say):
    work = {
        row: {"batches": batches, "patches": amounts["patches"]}
        for row, batches in SMALL.items()
    }
    images = amounts["small_images"]
    found = _speed("Small", "small", work, images, amounts, say)
    return {"rounds": amounts["rounds"], "small": found}


def _policy(name, amounts, say):
    found = _speed(
        f"{name}, {input_policies.SIDE} pixels",
        "steps",
        input_policies.rows(name),
        amounts["policy_images"],
        amounts,
        say,
        module="input_policies",
    )
    return {"rounds": amounts["rounds"], "policies": {name: found}}


def _speed(
    words, function, work, images, amounts, say, module="input_contenders"
):
    """Figures of {row: arguments beside the images of a round}."""
    say(f"{words}: {images} images a round ...")
    function = f"benchmarks.{module}:{function}"
    contenders = {
        row: Contender(function, {**arguments, "images": images}, images)
        for row, arguments in work.items()
    }
    # A step is a whole pass: no part of it warms up.
    turns = runner.take_turns(
        contenders, rounds=amounts["rounds"], steps=1, warm_up=0, say=say
    )
    speed = measure.summarise(
        turns.rounds,
        ("cpu_ms", "images_per_second"),
        {"reference_over_this": ("cpu_ms", OURS)},
    )
    return {"images_per_round": images, "speed": speed}


def report(figures):
    """The section "Input" of docs/PERFORMANCE.md, and panels."""
    protocol = f"{figures['rounds']} rounds in turns after one to warm up"
    parts, panels = [tables.machine(figures, protocol)], []
    for name, of_set in figures.get("sets", {}).items():
        size = f"{of_set['mean_kilobytes']:,.0f} KB"
        parts += [
            f"### {name}",
            f"{of_set['files']} files of {size} in the mean: {of_set['note']}. "
            f"{of_set['images_per_round']:,} images a round.",
            tables.of_rows(of_set["speed"], SPEED),
        ]
        bars = {row: one["cpu_ms"] for row, one in of_set["speed"].items()}
        unit = "CPU ms an image: median; the line is the spread"
        title = f"{name}, {size} a file"
        panels.append(pictures.panel(title, unit, bars, CEILING))
    if "small" in figures:
        parts.append("### Small images, 32x32, from memory")
        parts.append(tables.of_rows(figures["small"]["speed"], SPEED))
    side = input_policies.SIDE
    for name, of_policy in figures.get("policies", {}).items():
        parts.append(f"### {name}, {side}x{side}, from memory")
        parts.append(tables.of_rows(of_policy["speed"], SPEED))
    return parts, panels


SPEED = {
    "contender": ("name", ""),
    "CPU ms an image": ("cpu_ms", ".3g"),
    "images/s": (lambda row: row["images_per_second"]["median"], ",.0f"),
    "ours over it, CPU": ("reference_over_this", ".2f"),
}
