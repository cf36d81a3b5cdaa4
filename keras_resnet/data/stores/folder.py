"""Images in class folders; only their names are kept in memory.

A file costs 28 bytes, plus those of its name if they are more than 22.
"""

import bisect
import concurrent.futures
import functools
import os

import numpy as np
import tensorflow as tf
from absl import logging

from keras_resnet.data.examples import host
from keras_resnet.data.examples import splits
from keras_resnet.data.stores import copies
from keras_resnet.data.stores import files
from keras_resnet.data.stores import layouts
from keras_resnet.data.stores import listing
from keras_resnet.errors import require

# Folders that are listed at the same time: network storage is slow.
_THREADS = 8


def load(path, split):
    """Opens a split of a folder of class folders.

    Labels follow the order of the classes that are trained on, sorted by
    bytes. No image that is held out for validation is a byte-for-byte copy of
    one that is trained on.

    Args:
        path: of a local folder, or with a scheme that `tf.io.gfile` knows,
            such as gs://bucket/images; `layouts` says what it holds.
        split: "train", "validation", or the name of a folder in it.

    Raises:
        keras_resnet.UsageError: if a folder is missing or cannot be listed,
            the split holds no image or a class that is not trained on.
    """
    layout = layouts.find(path, split)
    is_remote = files.is_remote(layout.wanted)
    require(
        split == "train" or not (layout.held_out and is_remote),
        f"{path!r} is not on this machine, so nothing is held out of it: its "
        "files would have to be read to know which are copies. Make "
        "PATH/train/CLASS and PATH/validation/CLASS there.",
    )
    classes = _classes(layout)
    folders = [os.path.join(layout.wanted, name) for name in classes]
    listings = _list(layout.wanted, classes, folders)
    names = [name for found in listings for name in found.names]
    counts = [len(found.names) for found in listings]
    _check(layout.wanted, counts, sum(found.others for found in listings))
    if layout.held_out:
        _check_classes(layout.wanted, classes, counts)
    problems = _problems(listings)
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), counts)
    prefixes = [os.path.join(folder, b"") for folder in folders]
    everything = _split(
        f"folder:{path}/{split}",
        classes,
        prefixes,
        names,
        labels,
        files.reader(problems, is_remote),
    )
    if is_remote or not layout.held_out:
        return everything
    paths = [
        prefixes[label] + name
        for label, name in zip(labels, names, strict=True)
    ]
    parts = everything.hold_out(
        **vars(layout.held_out), groups=copies.group(paths, problems)
    )
    return parts[split == "validation"]


def _classes(layout):
    train, wanted = layout.train, layout.wanted
    classes, hidden = listing.subfolders(train)
    if hidden:
        _warn(f"{os.fsdecode(train)}: {hidden} hidden folders are ignored.")
    require(
        classes,
        f"{os.fsdecode(train)!r} has no class folders. Expected "
        f"{os.fsdecode(train)}/CLASS/*.jpg.",
    )
    strangers = sorted(set(listing.subfolders(wanted)[0]) - set(classes))
    require(
        not strangers,
        f"{os.fsdecode(wanted)!r} has classes that "
        f"{os.fsdecode(train)!r} lacks: "
        f"{', '.join(map(os.fsdecode, strangers))}.",
    )
    return classes


def _list(wanted, classes, folders):
    """`listing.Images` of each class, empty for those without a folder."""
    present = set(listing.subfolders(wanted)[0])

    def images(name, folder):
        if name in present:
            return listing.images(folder)
        return listing.Images([], {}, 0)

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(images, classes, folders))


def _problems(listings):
    """{index of an example: why it must not be read}."""
    problems, first = {}, 0
    for found in listings:
        for name, why in found.problems.items():
            problems[first + bisect.bisect_left(found.names, name)] = why
        first += len(found.names)
    return problems


@functools.cache
def _warn(text):
    """Warns once per process: a run opens its folders several times."""
    logging.warning("%s", text)


def _check(folder, counts, ignored):
    folder = os.fsdecode(folder)
    extensions = ", ".join(e.decode() for e in listing.EXTENSIONS)
    if ignored:
        _warn(
            f"{folder}: {ignored} entries of the class folders are ignored: "
            f"hidden, folders, or not images by their names ({extensions})."
        )
    require(
        any(counts),
        f"{folder!r} holds no images. Expected CLASS/*.jpg ({extensions}), or "
        "train/CLASS/*.jpg and validation/CLASS/*.jpg.",
    )


def _check_classes(folder, classes, counts):
    """Refuses folders without images: they may not be classes at all."""
    empty = [
        os.fsdecode(name)
        for name, count in zip(classes, counts, strict=True)
        if not count
    ]
    require(
        not empty,
        f"{os.fsdecode(folder)!r} has folders without images: "
        f"{', '.join(empty[:5])}. Remove them; if they are splits, name them "
        "train and validation, with the class folders in them.",
    )


def _split(name, classes, prefixes, names, labels, read_file):
    all_labels = host.on_host(labels)
    prefixes = host.on_host(prefixes)
    # An object array: one of bytes would be as wide as the longest name.
    all_names = host.on_host(np.array(names, dtype=object))

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
