"""Resident size of a process that reads training batches."""

import pathlib
import shutil
import tempfile

import numpy as np
from benchmarks import worker
from benchmarks.runner import Contender
from benchmarks.runner import Worker


def measure(files, case, batch_size):
    """Streams a case in a process of its own.

    Args:
        files: paths of JPEG files; at most case["files"] are copied.
        case: dict: "files" and "classes", how many links to them are listed,
            "images" that are read, and "every": images between two readings.
        batch_size: int.

    Returns:
        dict: the fields of the case, "listing_seconds", "megabytes": readings
        after the imports ("imported"), after the files are listed ("opened")
        and every `every` images ("streamed"), and
        "kilobytes_per_1000_images", the slope over the second half.
    """
    with tempfile.TemporaryDirectory() as folder:
        few = files[: case["files"]]
        link(few, folder, case["files"], case["classes"])
        arguments = {"folder": folder, "batch_size": batch_size}
        function = "benchmarks.input_contenders:stream"
        with Worker(Contender(function, arguments)) as one:
            begun = one.begun
            streamed = [
                one.take(case["every"] // batch_size, warm_up=0)
                for _ in range(case["images"] // case["every"])
            ]
    readings = [taken["resident_megabytes"] for taken in streamed]
    return {
        **case,
        "listing_seconds": begun["build"]["wall_seconds"],
        "megabytes": {
            "imported": begun["imported_megabytes"],
            "opened": begun["built_megabytes"],
            "streamed": readings,
        },
        "kilobytes_per_1000_images": slope(readings, case["every"]),
    }


def link(files, folder, num_files, num_classes):
    """Fills FOLDER/train/CLASS/ with hard links to copies of a few files.

    Args:
        files: paths; each gets as many links as the others, up to one.
        folder: it must exist.
        num_files: int, links in all.
        num_classes: int, folders that they are dealt to.
    """
    copies = [
        shutil.copyfile(path, pathlib.Path(folder, f"copy{number}"))
        for number, path in enumerate(files)
    ]
    classes = [
        pathlib.Path(folder, "train", f"class{number:04d}")
        for number in range(num_classes)
    ]
    for path in classes:
        path.mkdir(parents=True)
    for number in range(num_files):
        path = classes[number % num_classes] / f"{number:07d}.jpg"
        path.hardlink_to(copies[number % len(copies)])


def slope(megabytes, every):
    """Kilobytes per 1,000 images over the second half of the readings."""
    half = megabytes[len(megabytes) // 2 :]
    if len(half) < 2:
        return 0.0
    images = np.arange(len(half)) * every
    return float(1e6 * np.polyfit(images, half, 1)[0])


def resident_megabytes():
    """Resident size of this process, MB."""
    return worker.megabytes("VmRSS")
