"""A folder of pictures: the time until the same validation accuracy."""

import os
import pathlib
import tempfile

from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.runner import Contender
from benchmarks.runner import order

OURS = "ours, `keras-resnet train`"
# {row: (function, its network)}.
CONTENDERS = {
    OURS: ("ours", "ResNet-18"),
    "KerasHub, `ImageClassifier.fit`": ("keras_hub", "ResNet-18"),
    "Keras' tutorial, `fit`": ("tutorial", "3 convolutions"),
    "ultralytics, `model.train`": ("ultralytics", "YOLO11n-cls"),
}

FULL = {
    "dataset": "fashion_mnist",
    "train": 600,
    "val": 300,
    "image_size": 64,
    "batch_size": 32,
    "epochs": 5,
    "rounds": 3,
}
QUICK = {
    "dataset": "digits",
    "train": 60,
    "val": 30,
    "image_size": 32,
    "batch_size": 20,
    "epochs": 1,
    "rounds": 1,
}


def run(amounts, say=print):
    """The record of a run."""
    packages = "tensorflow", "keras", "keras-hub", "ultralytics", "torch"
    machine = measure.machine(*packages)
    runs, missing, loads = {name: [] for name in CONTENDERS}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        _write(pathlib.Path(folder), amounts)
        of = {key: amounts[key] for key in ("image_size", "batch_size")}
        of |= {"folder": folder, "epochs": amounts["epochs"]}
        for name in order(list(CONTENDERS), amounts["rounds"]):
            if name in missing:
                continue
            function, _ = CONTENDERS[name]
            say(f"  {name} ...")
            loads.append(os.getloadavg()[0])
            contender = Contender(f"benchmarks.own_contenders:{function}", of)
            try:
                runs[name].append(contender.begin()["result"])
            except RuntimeError as error:
                missing[name] = str(error).partition("\n")[0]
                say(f"  Without {name}: {missing[name]}")
    return {
        "benchmark": "own",
        "machine": machine,
        "amounts": amounts,
        "loads": measure.spread(loads),
        "runs": {n: of_one for n, of_one in runs.items() if n not in missing},
        "missing": missing,
    }


def _write(folder, amounts):
    """PNG files in train/CLASS and val/CLASS, of the wanted pixels."""
    from PIL import Image

    from keras_resnet.data.stores import arrays
    from keras_resnet.data.survey import prepare

    size = 2 * (amounts["image_size"],)
    for split, name in (("train", "train"), ("validation", "val")):
        read = arrays.load(amounts["dataset"], split, prepare.FASHION_MNIST)
        some = arrays.evenly_spaced(read, amounts[name])
        for number, label in enumerate(some.labels):
            of_class = folder / name / str(label)
            of_class.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(some.images[number]).resize(size)
            image.save(of_class / f"{number}.png")


def report(figures):
    """The table of docs/PERFORMANCE.md, "Your own images", and panels."""
    amounts = figures["amounts"]
    wanted = target(figures["runs"])
    rows = summarise(figures["runs"], wanted)
    low, high = figures["loads"]["min"], figures["loads"]["max"]
    protocol = (
        f"{amounts['dataset']}, {amounts['train']:,} files to train on and "
        f"{amounts['val']:,} to validate, {amounts['image_size']} px, batches "
        f"of {amounts['batch_size']}, {amounts['epochs']} epochs; "
        f"{amounts['rounds']} rounds in turns, load {low:.1f} to {high:.1f} "
        f"meanwhile. Until {wanted:.1%}, which each run reaches"
    )
    parts = [
        tables.machine(figures, protocol),
        tables.of_rows(rows, COLUMNS),
        *tables.missing(figures),
    ]
    unit = f"seconds until {wanted:.1%}: median; the line is the spread"
    bars = {name: row["seconds"] for name, row in rows.items()}
    return parts, [pictures.panel("your own images", unit, bars)]


def target(runs):
    """The highest accuracy that each run of each contender reaches."""
    return min(
        max(measure.column(points, "accuracy"))
        for of_one in runs.values()
        for points in of_one
    )


def summarise(runs, wanted):
    """{contender: spreads} of what it took to reach an accuracy.

    Args:
        runs: {contender: list of lists of `own_contenders.Clock.points`}.
        wanted: float.
    """
    reached = {
        name: [_reached(points, wanted) for points in of_one]
        for name, of_one in runs.items()
    }
    keys = "seconds", "cpu_seconds", "epochs", "best", "each"
    return {
        name: {
            "network": CONTENDERS[name][1],
            **{k: measure.spread(measure.column(rows, k)) for k in keys},
            "ours_over_this": measure.ratio(
                measure.column(reached[OURS], "seconds"),
                measure.column(rows, "seconds"),
            ),
        }
        for name, rows in reached.items()
    }


def _reached(points, wanted):
    """The first point of an accuracy; its epoch, and what all came to."""
    epoch = next(n for n, p in enumerate(points) if p["accuracy"] >= wanted)
    best = max(measure.column(points, "accuracy"))
    each = points[-1]["seconds"] / len(points)
    return {**points[epoch], "epochs": epoch + 1, "best": best, "each": each}


COLUMNS = {
    "program": ("name", ""),
    "network": ("network", ""),
    "s": ("seconds", ".0f"),
    "CPU s": ("cpu_seconds", ".0f"),
    "epochs": ("epochs", ".0f"),
    "ours over it, s": ("ours_over_this", ".2f"),
    "best of the run, %": (
        lambda row: {k: 100 * v for k, v in row["best"].items()},
        ".1f",
    ),
    "s an epoch": ("each", ".1f"),
}
