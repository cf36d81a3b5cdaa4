"""Images in PATH/SPLIT/CLASS/, of which only the names are held.

A file costs 28 bytes, and those of its name where they are more than 22.
"""

import bisect
import concurrent.futures
import os

import numpy as np
import tensorflow as tf
from absl import logging

from keras_resnet.data.examples import splits
from keras_resnet.data.stores import files
from keras_resnet.data.stores import listing
from keras_resnet.errors import require

# Folders that are listed at the same time: network storage takes its time.
_THREADS = 8


def load(path, split):
    """Opens PATH/SPLIT/CLASS/*.jpg.

    Labels follow the order of the classes in PATH/train, sorted by bytes.

    Args:
        path: of a local folder, or with a scheme that `tf.io.gfile` knows,
            such as gs://bucket/images.
        split: name of a folder in it.

    Raises:
        keras_resnet.UsageError: if a folder is missing or cannot be listed,
            the split holds no image or a class that PATH/train lacks, or a
            class in PATH/train holds no image.
    """
    root = os.fsencode(path)
    train, wanted = (os.path.join(root, s.encode()) for s in ("train", split))
    classes = _classes(root, train, wanted)
    folders = [os.path.join(wanted, name) for name in classes]
    names, problems = [], {}
    counts, ignored = [], 0
    present = set(listing.subfolders(wanted)[0])
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        listings = pool.map(
            lambda name, folder: (
                listing.images(folder)
                if name in present
                else listing.Images([], {}, 0)
            ),
            classes,
            folders,
        )
        for found in listings:
            for name, why in found.problems.items():
                place = bisect.bisect_left(found.names, name)
                problems[sum(counts) + place] = why
            names += found.names
            counts.append(len(found.names))
            ignored += found.others
    _check(wanted, counts, ignored)
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), counts)
    prefixes = [os.path.join(folder, b"") for folder in folders]
    read_file = _reader(problems, files.is_remote(root))
    return _split(
        f"folder:{path}/{split}", classes, prefixes, names, labels, read_file
    )


def _classes(root, train, wanted):
    for folder in (root, train, wanted):
        require(
            listing.is_folder(folder),
            f"There is no folder {os.fsdecode(folder)!r}. folder:PATH needs "
            "PATH/train/CLASS/*.jpg and PATH/validation/CLASS/*.jpg.",
        )
    classes, hidden = listing.subfolders(train)
    if hidden:
        logging.warning(
            "%s: %d hidden folders are ignored.", os.fsdecode(train), hidden
        )
    require(
        classes,
        f"{os.fsdecode(train)!r} has no class folders. Expected "
        "PATH/train/CLASS/*.jpg.",
    )
    strangers = sorted(set(listing.subfolders(wanted)[0]) - set(classes))
    require(
        not strangers,
        f"{os.fsdecode(wanted)!r} has classes that "
        f"{os.fsdecode(train)!r} lacks: "
        f"{', '.join(map(os.fsdecode, strangers))}.",
    )
    return classes


def _check(folder, counts, ignored):
    folder = os.fsdecode(folder)
    extensions = ", ".join(e.decode() for e in listing.EXTENSIONS)
    if ignored:
        logging.warning(
            "%s: %d entries of the class folders are ignored: hidden, "
            "folders, or not images by their names (%s).",
            folder,
            ignored,
            extensions,
        )
    require(
        any(counts),
        f"{folder!r} holds no images. Expected CLASS/*.jpg ({extensions}).",
    )


def _reader(problems, is_remote):
    """string scalar path, int64 scalar index: its bytes, if it may be read."""
    if is_remote:
        return lambda path, _: files.read_if(path, files.remote_problem(path))
    if not problems:
        return lambda path, _: tf.io.read_file(path)
    indices = splits.on_host(list(problems), tf.int64)
    reasons = splits.on_host(list(problems.values()))

    def read(path, index):
        why = tf.boolean_mask(reasons, indices == index)
        return files.read_if(path, tf.strings.reduce_join(why))

    return read


def _split(name, classes, prefixes, names, labels, read_file):
    all_labels = splits.on_host(labels)
    prefixes = splits.on_host(prefixes)
    # Of objects: an array of bytes would be as wide as the longest name.
    all_names = splits.on_host(np.array(names, dtype=object))

    def path(index):
        prefix = tf.gather(prefixes, tf.gather(all_labels, index))
        return prefix + tf.gather(all_names, index)

    def read(index):
        return read_file(path(index), index), tf.gather(all_labels, index)

    return splits.Split(
        name=name,
        class_names=tuple(os.fsdecode(c) for c in classes),
        num_examples=len(labels),
        read=read,
        describe=lambda index: os.fsdecode(path(index).numpy()),
        labels=labels,
    )
