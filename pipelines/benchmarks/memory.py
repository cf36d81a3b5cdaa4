"""Resident size of a process that reads training batches."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np

STATM = pathlib.Path("/proc/self/statm")  # Linux


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What one process lists and reads."""

    files: int
    classes: int
    images: int
    every: int  # images between two readings


def measure(files, cases, batch_size):
    """Streams each case in a process of its own.

    Args:
        files: paths of a few JPEG files; each case lists links to them.
        cases: list of `Case`.
        batch_size: int.

    Returns:
        list of dicts: the fields of a case, "listing_seconds", "megabytes":
        readings after the imports ("imported"), after the data set is opened
        ("opened") and every `every` images ("streamed"), and
        "kilobytes_per_1000_images", the slope over the second half.
    """
    return [_measure(files, case, batch_size) for case in cases]


def _measure(files, case, batch_size):
    # A new process: what others freed could hide growth.
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool,
    ):
        link(files, folder, case.files, case.classes)
        seconds, megabytes = pool.submit(
            _stream, folder, case, batch_size
        ).result()
    streamed = megabytes["streamed"]
    return {
        **dataclasses.asdict(case),
        "listing_seconds": seconds,
        "megabytes": megabytes,
        "kilobytes_per_1000_images": slope(streamed, case.every),
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
    pages = int(STATM.read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _stream(folder, case, batch_size):
    from benchmarks import contenders

    from keras_resnet.data import datasets
    from keras_resnet.data import pipeline

    megabytes = {"imported": resident_megabytes()}
    started = time.perf_counter()
    split = datasets.load(f"folder:{folder}", "train")
    seconds = time.perf_counter() - started
    megabytes["opened"] = resident_megabytes()
    recipe = contenders.recipe(case.images, batch_size)
    dataset = pipeline.train_dataset(split, recipe, fill=contenders.FILL)
    megabytes["streamed"], seen = [], 0
    for batch in dataset:
        before, seen = seen, seen + len(batch["image"])
        if seen // case.every > before // case.every:
            megabytes["streamed"].append(resident_megabytes())
    return seconds, megabytes
