"""The input pipeline beside its peers: speed, quality, memory."""

import pathlib
import tempfile

from benchmarks import measure
from benchmarks import memory
from benchmarks import photographs
from benchmarks import pictures
from benchmarks import runner
from benchmarks import tables
from benchmarks.runner import Contender

from keras_resnet.errors import require

OURS, CEILING = "ours", "ceiling: decode the crop only"
# {row: (key of `input_contenders.LARGE`, its further arguments)}.
LARGE = {
    OURS: ("ours", {}),
    "ours, with PCA colour": ("ours", {"augmentation": "imagenet"}),
    "tf.data, plain": ("plain", {"antialias": False}),
    "tf.data, antialiased": ("plain", {"antialias": True}),
    "Pillow, as torchvision": ("pillow", {}),
    CEILING: ("ceiling", {}),
}
# {row: key of `small_contenders.SMALL`}.
SMALL = {OURS: "ours", "tf.data, example by example": "plain"}

FULL = {
    "rounds": 6,
    "batch_size": 32,
    # Of each set: files that are made, images of a round, crops whose quality
    # is compared. A round's start takes some 80 ms of CPU, whatever reads.
    "sets": {
        "500x375": {"files": 32, "images": 4096, "crops": 32},
        "12 megapixels": {"files": 8, "images": 256, "crops": 8},
    },
    # Shorter sides; from the one that keeps 375 pixels to P1's least.
    "scales": (375, 320, 288, 256),
    "patches": 50_000,  # small images in memory
    "small_images": 25_600,
    "memory": [
        {"files": files, "classes": classes, "images": 20_480, "every": 1_024}
        for files, classes in ((32, 1), (100_000, 1_000))
    ],
}
QUICK = {
    "rounds": 1,
    "batch_size": 4,
    "sets": {
        "500x375": {"files": 4, "images": 8, "crops": 4},
        "12 megapixels": {"files": 1, "images": 4, "crops": 1},
    },
    "scales": (256,),
    "patches": 256,
    "small_images": 256,
    "memory": [
        {"files": files, "classes": classes, "images": 40, "every": 8}
        for files, classes in ((4, 1), (40, 10))
    ],
}


def run(amounts, images=None, images_per_round=512, say=print):
    """The record of a run; `images` is a user's folder of JPEG files."""
    if images:
        amounts = of_user(amounts, images, images_per_round)
    with tempfile.TemporaryDirectory() as root:
        sets, files = {}, {}
        for name, of_set in amounts["sets"].items():
            files[name], note = _files(root, name, of_set, images)
            sets[name] = {"note": note, **photographs.describe(files[name])}
        for name, of_set in amounts["sets"].items():
            folder = str(files[name][0].parents[2])
            sets[name] |= _measure_set(name, folder, of_set, amounts, say)
        say("Memory ...")
        first = next(iter(files.values()))
        of_memory = [
            memory.measure(first, case, amounts["batch_size"])
            for case in amounts["memory"]
        ]
    return {
        "benchmark": "input",
        "machine": measure.machine("tensorflow", "pillow"),
        "rounds": amounts["rounds"],
        "sets": sets,
        "small": _measure_small(amounts, say),
        "memory": of_memory,
    }


def of_user(amounts, folder, count):
    """The amounts for a folder of JPEG files, `count` in one round."""
    batch = amounts["batch_size"]
    require(
        count >= batch,
        f"--images_per_round must be at least a batch of {batch}. "
        f"Received: {count}.",
    )
    of_set = {"images": count // batch * batch, "crops": batch}
    return {**amounts, "sets": {pathlib.Path(folder).resolve().name: of_set}}


def _files(root, name, of_set, folder):
    """(files of a set in ROOT/NAME/train/CLASS/, what they are)."""
    of_class = pathlib.Path(root, name, "train", "photographs")
    of_class.mkdir(parents=True)
    if folder:
        files = photographs.collect(of_class, folder, of_set["images"])
        return files, "JPEG files of the user"
    files = photographs.write(of_class, name, of_set["files"])
    return files, photographs.SETS[name]["note"]


def _measure_set(name, folder, of_set, amounts, say):
    images = of_set["images"]
    arguments = {"folder": folder, "images": images}
    arguments["batch_size"] = amounts["batch_size"]
    contenders = {
        row: Contender(
            "benchmarks.input_contenders:large",
            {"batches": batches, **arguments, **choices},
            images,
        )
        for row, (batches, choices) in LARGE.items()
    }
    speed = _speed(f"{name}: {images} images", contenders, amounts, say)
    say(f"{name}: quality ...")
    compared = {"folder": folder, "crops": of_set["crops"]}
    compared["scales"] = amounts["scales"]
    begun = Contender("benchmarks.quality:measure", compared).begin()
    return {
        "images_per_round": images,
        "speed": speed,
        "quality": begun["result"],
    }


def _measure_small(amounts, say):
    images = amounts["small_images"]
    arguments = {"patches": amounts["patches"], "images": images}
    contenders = {
        row: Contender(
            "benchmarks.small_contenders:small",
            {"batches": batches, **arguments},
            images,
        )
        for row, batches in SMALL.items()
    }
    speed = _speed(f"Small: {images} images", contenders, amounts, say)
    return {"images_per_round": images, "speed": speed}


def _speed(words, contenders, amounts, say):
    say(f"{words} a round ...")
    # A step is a whole pass: no part of it warms up.
    turns = runner.take_turns(
        contenders, rounds=amounts["rounds"], steps=1, warm_up=0, say=say
    )
    return measure.summarise(
        turns.rounds,
        ("cpu_ms", "images_per_second"),
        {"reference_over_this": ("cpu_ms", OURS)},
    )


def report(figures):
    """The section "Input" of docs/PERFORMANCE.md, and panels."""
    protocol = f"{figures['rounds']} rounds in turns after one to warm up"
    parts = [tables.machine(figures, protocol)]
    for name, of_set in figures["sets"].items():
        parts += [
            f"### {name}",
            f"{of_set['files']} files of {of_set['mean_kilobytes']:,.0f} KB "
            f"in the mean: {of_set['note']}. "
            f"{of_set['images_per_round']:,} images a round.",
            tables.of_rows(of_set["speed"], SPEED),
            "Against the antialiased resize:",
            tables.of_rows(of_set["quality"], QUALITY),
        ]
    parts.append("### Small images, 32x32, from memory")
    parts.append(tables.of_rows(figures["small"]["speed"], SPEED))
    parts += ["### Memory", tables.of_rows(figures["memory"], MEMORY)]
    panels = [
        pictures.panel(
            f"{name}, {of_set['mean_kilobytes']:,.0f} KB a file",
            "CPU ms an image: median; the line is the spread over the rounds",
            {row: one["cpu_ms"] for row, one in of_set["speed"].items()},
            CEILING,
        )
        for name, of_set in figures["sets"].items()
    ]
    return parts, panels


SPEED = {
    "contender": ("name", ""),
    "CPU ms an image": ("cpu_ms", ".3g"),
    "images/s": (lambda row: row["images_per_second"]["median"], ",.0f"),
    "ours over it, CPU": ("reference_over_this", ".2f"),
}
QUALITY = {
    "shorter side": ("shorter_side", ""),
    "shrinks by": ("shrink", ".2f"),
    "method": ("method", ""),
    "dB": (lambda row: row["psnr"] or "equal", ".1f"),
    "mean difference, of 255": ("mean_difference", ".2f"),
}
MEMORY = {
    "files": ("files", ",d"),
    "classes": ("classes", ",d"),
    "listing, s": ("listing_seconds", ".2f"),
    "MB imported": (lambda row: row["megabytes"]["imported"], ",.0f"),
    "opened": (lambda row: row["megabytes"]["opened"], ",.0f"),
    "images between readings": ("every", ",d"),
    "first reading": (lambda row: row["megabytes"]["streamed"][0], ",.0f"),
    "images in all": ("images", ",d"),
    "last": (lambda row: row["megabytes"]["streamed"][-1], ",.0f"),
    "most": (lambda row: max(row["megabytes"]["streamed"]), ",.0f"),
    "KB more each 1,000 images of the second half": (
        "kilobytes_per_1000_images",
        "+,.0f",
    ),
}
