"""TFRecord files with the ImageNet field names of Google's scripts.

An example has `image/encoded`, the bytes of a file, and `image/class/label`.
The ImageNet scripts number the classes from 1, in the order of their WordNet
ids, because 0 is a background that no image shows. The labels mean

- what labels.txt beside the files says, a class a line: `NAME`, with labels
  from 0, or `LABEL:NAME`, with labels from that of the first line on; or
- without labels.txt, ImageNet: labels 1 ... 1000 with WordNet ids as names;
  `image/class/synset` of the first record must confirm this.
"""

import fnmatch
import os
import re

import numpy as np
import tensorflow as tf

from keras_resnet import files
from keras_resnet.data.examples import splits
from keras_resnet.data.stores import reading
from keras_resnet.data.stores import records as records_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib

_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string),
    "image/class/label": tf.io.FixedLenFeature((), tf.int64),
}
_SYNSET = {"image/class/synset": tf.io.FixedLenFeature((), tf.string, "")}
_NUMBERED = re.compile(r"^(\d+)\s*:\s*(.+)$")
_SHARD = re.compile(r"-(\d+)-of-(\d+)$")


def load(pattern, split):
    """Opens a split of TFRecord files.

    Args:
        pattern: of paths, with {split} somewhere and wildcards in the last
            part, such as "/data/{split}-*"; or a folder, for FOLDER/{split}-*.
            Any path that `tf.io.gfile` reads.
        split: "train", "validation" or another name that the files have.

    Raises:
        keras_resnet.UsageError: if there are no such files, shards are
            missing, a file is damaged, or nothing says what labels mean.
    """
    paths = _find(pattern, split)
    records = records_lib.find([(path, 0, None) for path in paths])
    name = f"tfrecord:{pattern}/{split}"
    require(len(records.files), f"{name} is empty: there is nothing to read.")
    example = _first_example(records)
    class_names, first_label = _classes(os.path.dirname(paths[0]), example)
    num_classes = len(class_names)

    def parse(record, index):
        example = tf.io.parse_single_example(record, _FEATURES)
        label = example["image/class/label"] - first_label
        label = splits.checked_label(label, num_classes, index, name)
        return example["image/encoded"], label

    return of_records(name, class_names, records, parse)


def of_records(name, class_names, records, parse):
    """The `Split` of records.

    Args:
        name: of the split.
        class_names: of its labels.
        records: `records.Records`.
        parse: (string scalar, int64 scalar: the index) -> (image, label).
    """
    starts = reading.block_starts(records)

    def with_reader(read):
        return lambda index: parse(read(index), index)

    return splits.Split(
        name=name,
        class_names=class_names,
        num_examples=len(records.files),
        read=with_reader(reading.reader(records)),
        describe=records.describe,
        blocks=splits.Blocks(
            starts=starts,
            reader=lambda n: with_reader(
                reading.block_reader(records, starts, n)
            ),
        ),
    )


def _find(pattern, split):
    if tf.io.gfile.isdir(pattern):
        pattern = os.path.join(pattern, "{split}-*")
    require(
        "{split}" in pattern,
        "tfrecord: takes a folder, or a pattern with {split} in it such as "
        "/data/{split}-*, so that train and validation are different files. "
        f"Received: {pattern!r}, which is no folder.",
    )
    folder, base = os.path.split(pattern.replace("{split}", split))
    try:
        names = tf.io.gfile.listdir(folder or ".")
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot list {folder!r}: {error}.") from error
    names = sorted(n for n in names if fnmatch.fnmatchcase(n, base))
    require(names, f"There is no file {os.path.join(folder, base)!r}.")
    _check_complete(folder, names)
    return [os.path.join(folder, name) for name in names]


def _check_complete(folder, names):
    """Refuses train-00000-of-01024 without its 1023 siblings."""
    found = [_SHARD.search(name) for name in names]
    if not all(found):
        return
    numbers = {int(shard[1]) for shard in found}
    totals = sorted({int(shard[2]) for shard in found})
    require(
        len(totals) == 1,
        f"{folder!r} mixes shards of {totals} files: {names[0]}, ..., "
        f"{names[-1]}. Keep those of one data set.",
    )
    missing = sorted(set(range(totals[0])) - numbers)
    require(
        not missing,
        f"Of the {totals[0]} shards {names[0]}, ... in {folder!r} "
        f"{len(missing)} are missing: {', '.join(map(str, missing[:5]))}. "
        "Copy them. To read only some, name them without -of-.",
    )


def _first_example(records):
    """(label, WordNet id or "") of the first record."""
    try:
        record = reading.reader(records)(tf.constant(0, tf.int64))
        example = tf.io.parse_single_example(record, _FEATURES | _SYNSET)
    except tf.errors.InvalidArgumentError as error:
        raise UsageError(
            f"Cannot use {records.describe(0)}, which must be an example with "
            f"image/encoded and image/class/label: {error.message}"
        ) from error
    synset = example["image/class/synset"].numpy().decode(errors="replace")
    return int(example["image/class/label"]), synset


def _classes(folder, example):
    """(class names, label of the first one)."""
    path = os.path.join(folder, cards.LABELS)
    if tf.io.gfile.exists(path):
        return parse_labels(_read_labels(path), path)
    names = tuple(wordnet for wordnet, _ in cards.imagenet_classes())
    label, synset = example
    expected = names[label - 1] if 1 <= label <= len(names) else None
    require(
        synset and synset == expected,
        f"The first record has the label {label} and the image/class/synset "
        f"{synset!r}; ImageNet has {expected!r} there. Without {path} the "
        "labels are taken for ImageNet's 1 ... 1000, in the order of the "
        "WordNet ids. Write that file, a class a line: NAME for labels from "
        "0, or LABEL:NAME.",
    )
    return names, 1


def _read_labels(path):
    try:
        if "://" not in path:
            return files.read(path)
        with tf.io.gfile.GFile(path, "rb") as file:
            return files.bounded(file, path)
    except (OSError, tf.errors.OpError) as error:
        raise UsageError(f"Cannot read {path!r}: {error}.") from error


def parse_labels(data, path):
    """Class names and the label of the first one, from labels.txt.

    Args:
        data: bytes: a class a line, as NAME or LABEL:NAME. Empty lines may
            follow the last one.
        path: of the file, for messages.

    Returns:
        (K names, int): labels ascend by 1 from that of the first line.
    """
    lines = names_lib.lines(data, path)
    while lines and not lines[-1].strip():
        lines.pop()
    require(lines, f"{path} is empty. Expected a class name a line.")
    numbered = [_NUMBERED.match(line) for line in lines]
    if not all(numbered):
        return tuple(lines), 0
    numbers = np.array([int(line[1]) for line in numbered])
    require(
        (np.diff(numbers) == 1).all(),
        f"The labels in {path} must ascend by 1 from line to line.",
    )
    return tuple(line[2] for line in numbered), int(numbers[0])
