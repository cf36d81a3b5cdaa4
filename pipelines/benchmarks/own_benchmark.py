"""A folder of pictures: the time until the same validation accuracy."""

import functools
import os
import pathlib
import tempfile

from benchmarks import measure
from benchmarks import pictures
from benchmarks import tables
from benchmarks.runner import Contender

PACKAGES = "tensorflow", "keras", "keras-hub", "ultralytics", "torch"
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
    "accuracy": 0.5,
}
SHORT = {
    "dataset": "digits",
    "train": 600,
    "val": 300,
    "image_size": 32,
    "batch_size": 32,
    "epochs": 3,
    "rounds": 1,
    "accuracy": 0.5,
}
QUICK = {
    "dataset": "digits",
    "train": 60,
    "val": 30,
    "image_size": 32,
    "batch_size": 20,
    "epochs": 1,
    "rounds": 1,
    "accuracy": 0.0,
}


def groups(amounts, say=print):
    """{group: () -> its part of the figures}: a round each."""
    names, found = list(CONTENDERS), {}
    for number in range(amounts["rounds"]):
        first = number % len(names)
        turn = names[first:] + names[:first]
        measured = functools.partial(_round, turn, amounts, say)
        found[f"round/{number + 1}"] = measured
    return found


def _round(names, amounts, say):
    """Every program once."""
    runs, missing, loads = {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        _write(pathlib.Path(folder), amounts)
        of = {key: amounts[key] for key in ("image_size", "batch_size")}
        of |= {"folder": folder, "epochs": amounts["epochs"]}
        for name in names:
            function, _ = CONTENDERS[name]
            say(f"  {name} ...")
            loads.append(os.getloadavg()[0])
            contender = Contender(f"benchmarks.own_contenders:{function}", of)
            try:
                runs[name] = [contender.begin()["result"]]
            except RuntimeError as error:
                missing[name] = str(error).partition("\n")[0]
                say(f"  Without {name}: {missing[name]}")
    return {"loads": loads, "runs": runs, "missing": missing}


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
    wanted = amounts["accuracy"]
    runs = {
        name: figures["runs"][name]
        for name in CONTENDERS
        if name in figures["runs"] and name not in figures["missing"]
    }
    rows = summarise(runs, wanted)
    loads = figures["loads"]
    if isinstance(loads, dict):  # an older record
        loads = list(loads.values())
    low, high = min(loads), max(loads)
    protocol = (
        f"{amounts['dataset']}, {amounts['train']:,} files to train on and "
        f"{amounts['val']:,} to validate, {amounts['image_size']} px, batches "
        f"of {amounts['batch_size']}, {amounts['epochs']} epochs; "
        f"{amounts['rounds']} rounds in turns, load {low:.1f} to {high:.1f} "
        f"meanwhile. Until {wanted:.0%} of the validation set are right"
    )
    parts = [
        tables.machine(figures, protocol),
        tables.of_rows(rows, COLUMNS),
        *tables.missing(figures),
    ]
    unit = f"seconds until {wanted:.0%}: median; the line is the spread"
    bars = {n: row["seconds"] for n, row in rows.items() if "seconds" in row}
    return parts, [pictures.panel("your own images", unit, bars)]


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
    return {
        name: {"network": CONTENDERS[name][1], **_row(runs[name], rows)}
        | {"ours_over_this": _ratio(reached[OURS], rows)}
        for name, rows in reached.items()
    }


def _reached(points, wanted):
    """The first point of an accuracy, and its epoch; None if there is none."""
    for epoch, point in enumerate(points, 1):
        if point["accuracy"] >= wanted:
            return {**point, "epochs": epoch}
    return None


def _row(runs, reached):
    there = [row for row in reached if row]
    keys = ("seconds", "cpu_seconds", "epochs") if there else ()
    best = [max(measure.column(points, "accuracy")) for points in runs]
    each = [points[-1]["cpu_seconds"] / len(points) for points in runs]
    return {
        "reached": f"{len(there)} of {len(reached)}",
        **{key: measure.spread(measure.column(there, key)) for key in keys},
        "best": measure.spread([100 * accuracy for accuracy in best]),
        "each": measure.spread(each),
    }


def _ratio(ours, theirs):
    """The ratio of CPU seconds, over the rounds in which both got there."""
    pairs = [pair for pair in zip(ours, theirs, strict=True) if all(pair)]
    if not pairs:
        return None
    columns = (measure.column(rows, "cpu_seconds") for rows in zip(*pairs))
    return measure.ratio(*columns)


COLUMNS = {
    "program": ("name", ""),
    "network": ("network", ""),
    "runs there": ("reached", ""),
    "CPU s": ("cpu_seconds", ".0f"),
    "s": ("seconds", ".0f"),
    "epochs": ("epochs", ".0f"),
    "ours over it, CPU": ("ours_over_this", ".2f"),
    "CPU s an epoch": ("each", ".1f"),
    "best of a run, %": ("best", ".1f"),
}
