"""The input pipeline beside its peers: speed, quality, memory."""

import contextlib
import dataclasses
import os
import pathlib
import platform
import tempfile

from benchmarks import contenders
from benchmarks import measure
from benchmarks import memory
from benchmarks import photographs
from benchmarks import quality
from benchmarks import small

from keras_resnet.errors import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is measured.

    Attributes:
        rounds: that count; each contender runs once in each.
        batch_size: of the large images.
        files: {name of a set: files that are made}.
        images: {name of a set: images of one run}, multiples of the batch.
        quality_images: {name of a set: crops that are compared}.
        scales: shorter sides that they are resized to, pixels.
        patches: small images in memory.
        small_images: small images of one run.
        memory: cases, the first with few files.
    """

    rounds: int
    batch_size: int
    files: dict
    images: dict
    quality_images: dict
    scales: tuple[int, ...]
    patches: int
    small_images: int
    memory: tuple[memory.Case, ...]


FULL = Amounts(
    rounds=6,
    batch_size=32,
    files={"500x375": 32, "12 megapixels": 8},
    # A run's start takes some 80 ms of CPU, whatever reads: little of it.
    images={"500x375": 4096, "12 megapixels": 256},
    quality_images={"500x375": 32, "12 megapixels": 8},
    # From the one that keeps 375 pixels to P1's least.
    scales=(375, 320, 288, 256),
    patches=50_000,
    small_images=25_600,
    memory=tuple(
        memory.Case(files=files, classes=classes, images=20_000, every=1_000)
        for files, classes in ((32, 1), (100_000, 1_000))
    ),
)
# Whether all of it works, in seconds; the figures mean little.
QUICK = Amounts(
    rounds=1,
    batch_size=4,
    files={"500x375": 4, "12 megapixels": 1},
    images={"500x375": 8, "12 megapixels": 4},
    quality_images={"500x375": 4, "12 megapixels": 1},
    scales=(256,),
    patches=256,
    small_images=256,
    memory=tuple(
        memory.Case(files=files, classes=classes, images=40, every=10)
        for files, classes in ((4, 1), (40, 10))
    ),
)


def of_user(amounts, folder, count):
    """The amounts for a folder of JPEG files, `count` in one run."""
    name = pathlib.Path(folder).resolve().name
    batch = amounts.batch_size
    require(
        count >= batch,
        f"--images_per_round must be at least a batch of {batch}. "
        f"Received: {count}.",
    )
    return dataclasses.replace(
        amounts,
        files={name: None},
        images={name: count // batch * batch},
        quality_images={name: batch},
    )


def run(amounts, folder=None, say=print):
    """Measures everything.

    Args:
        amounts: `Amounts`.
        folder: the user's JPEG files, in place of those that are made; then
            `amounts` are `of_user`.
        say: what takes a line on the progress.

    Returns:
        dict of figures, as JSON can hold it.
    """
    figures = {
        "benchmark": "input",
        "machine": machine(),
        "rounds": amounts.rounds,
        "sets": {},
    }
    with tempfile.TemporaryDirectory() as root:
        files = {}
        for name in amounts.files:
            images, note = _images(root, name, amounts, folder)
            files[name] = images.files
            figures["sets"][name] = {
                "note": note,
                **photographs.describe(images.files),
                **_measure_set(images, name, amounts, say),
            }
        say("Small images ...")
        figures["small"] = _measure_small(amounts)
        say("Memory ...")
        few = next(iter(files.values()))[: amounts.memory[0].files]
        figures["memory"] = memory.measure(
            few, amounts.memory, amounts.batch_size
        )
    return figures


def _images(root, name, amounts, folder):
    """(`contenders.Images`, what they are) of a set, in a folder of its own."""
    path = pathlib.Path(root, name)
    of_class = path / "train" / "photographs"
    of_class.mkdir(parents=True)
    if folder:
        files = photographs.collect(of_class, folder, amounts.images[name])
        return contenders.Images(path, files), "JPEG files of the user"
    image_set = photographs.SETS[name]
    files = photographs.write(of_class, image_set, amounts.files[name])
    return contenders.Images(path, files), image_set.note


def _measure_set(images, name, amounts, say):
    count = amounts.images[name]
    recipe = contenders.recipe(count, amounts.batch_size)
    say(f"{name}: {amounts.rounds} rounds of {count} images ...")
    iterations = {
        key: prepare(images, recipe)
        for key, prepare in contenders.CONTENDERS.items()
    }
    speed = _speed(iterations, amounts.rounds)
    say(f"{name}: quality ...")
    crops = amounts.quality_images[name]
    losses = quality.measure(
        images, contenders.recipe(crops, crops), amounts.scales
    )
    return {"images_per_round": count, "speed": speed, "quality": losses}


def _measure_small(amounts):
    iterations = small.prepare(amounts.patches, amounts.small_images)
    return {
        "images_per_round": amounts.small_images,
        "speed": _speed(iterations, amounts.rounds),
    }


def _speed(iterations, rounds):
    counted = {
        name: lambda batches=batches: sum(len(batch) for batch in batches())
        for name, batches in iterations.items()
    }
    runs = measure.alternate(counted, rounds=rounds)
    return measure.summarise(runs, contenders.OURS)


def machine():
    """What the figures were taken on."""
    import tensorflow as tf
    from PIL import Image

    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "tensorflow": tf.__version__,
        "pillow": Image.__version__,
    }


def _cpu():
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
