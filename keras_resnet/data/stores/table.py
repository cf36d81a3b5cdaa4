"""Images that a CSV file lists; only their paths are kept in memory.

    path,label,split          path,labels
    a.jpg,cat,train           a.jpg,cat|dog
    b.jpg,dog,validation      b.jpg,

The first line names the columns, in any order. A path is absolute, or relative
to the folder of the CSV file, and is listed once. The column `label` has one
class; `labels` any number of them with | in between, none where it is empty.
Without `split`, or if all rows are "train", a part of each class is held out as
for a folder: a fifth, or what "FILE?validation=0.1&seed=3" says. With `split`,
the file and the pictures may be on a remote store, gs://bucket/a.jpg.
"""

import os

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import host
from keras_resnet.data.examples import splits
from keras_resnet.data.stores import copies
from keras_resnet.data.stores import files
from keras_resnet.data.stores import layouts
from keras_resnet.data.stores import table_rows
from keras_resnet.errors import require

_LISTED = 5  # in one message


def load(path, split):
    """Opens a split of a CSV file, UTF-8 with or without a byte-order mark.

    Classes are those of the rows that are trained on, sorted.

    Args:
        path: of a file, with or without a query.
        split: "train", "validation" (which the rows may also call val, valid
            or test), or another value of the column `split`.

    Raises:
        keras_resnet.UsageError: if the file cannot be read or is no such
            table, a file that it lists is missing, or there is no such split.
            A missing remote file is found when it is read.
    """
    file, query = layouts.parse(path)
    rows, several = table_rows.read(file)
    _check_paths(rows, file)
    wanted, held_out = _wanted(rows, split, file, query)
    remote = [row for row in rows if table_rows.is_remote(row["path"])]
    require(
        not (held_out and remote),
        f"{file!r} lists files that are not on this machine, so nothing is "
        "held out of them: they would have to be read to know which are "
        "copies. Add a column split, train or validation.",
    )
    train = wanted if held_out else [r for r in rows if r["split"] == "train"]
    classes = sorted({name for row in train for name in row["classes"]})
    require(classes, f"{file!r} has no class in any row that is trained on.")
    labels = _labels(wanted, classes, several, file)
    found = _split(f"csv:{path}/{split}", classes, wanted, labels)
    if not held_out:
        return found
    groups = copies.group([os.fsencode(row["path"]) for row in wanted])
    parts = found.hold_out(**vars(held_out), groups=groups)
    return parts[split == "validation"]


def _check_paths(rows, file):
    """Refuses files that are missing, and those that are listed twice."""
    lost = [row for row in rows if not _is_file(row["path"])]
    more = f" and {len(lost) - _LISTED:,} more" * (len(lost) > _LISTED)
    listed = [f"line {r['line']}: {r['path']!r}" for r in lost[:_LISTED]]
    require(
        not lost,
        f"{file!r} lists what is no file ({'; '.join(listed)}{more}). Paths "
        "are relative to the folder of the CSV file.",
    )
    lines = {}
    for row in rows:
        first = lines.setdefault(row["path"], row["line"])
        require(
            first == row["line"],
            f"Line {row['line']} of {file!r} has the path of line {first}: "
            f"{row['path']}. Name each file once; of several classes as "
            "cat|dog in a column labels.",
        )


def _is_file(path):
    """Whether it is a file; a remote one is checked when it is read."""
    return table_rows.is_remote(path) or os.path.isfile(path)


def _wanted(rows, split, file, query):
    """(rows of a split, or all rows to hold out from; `HoldOut` or None)."""
    known = sorted({row["split"] for row in rows})
    if known == ["train"] and split in layouts.SPLITS:
        return rows, query or layouts.HoldOut()
    require(
        not query or known == ["train"],
        f"{file!r} has a column split, so nothing is held out of train. "
        "Received: a path that ends in a query.",
    )
    for wanted in ("train", split):
        names = layouts.SPLITS.get(wanted, (wanted,))
        names = [name for name in names if name in known]
        require(
            names,
            f"{file!r} has no rows of the split {wanted}. It has: "
            f"{', '.join(known)}.",
        )
    return [row for row in rows if row["split"] == names[0]], None


def _labels(rows, classes, several, file):
    """int32 (N,), or uint8 (N, K) if there may be several classes."""
    numbers = {name: number for number, name in enumerate(classes)}
    for row in rows:
        strangers = [name for name in row["classes"] if name not in numbers]
        require(
            not strangers,
            f"Line {row['line']} of {file!r} has a class that no row of train "
            f"has: {', '.join(strangers)}.",
        )
    found = [[numbers[name] for name in row["classes"]] for row in rows]
    if not several:
        return np.array(found, np.int32)[:, 0]
    labels = np.zeros((len(rows), len(classes)), np.uint8)
    for label, of_row in zip(labels, found, strict=True):
        label[of_row] = 1
    return labels


def _split(name, classes, rows, labels):
    paths = [os.fsencode(row["path"]) for row in rows]
    is_remote = any(map(files.is_remote, paths))
    found = {} if is_remote else dict(enumerate(map(files.problem, paths)))
    problems = {i: why for i, why in found.items() if why}
    read_file = files.reader(problems, is_remote)
    # An object array: one of bytes would be as wide as the longest path.
    held = host.on_host(np.array(paths, dtype=object))
    all_labels = host.on_host(labels)

    def read(index):
        image = read_file(tf.gather(held, index), index)
        return image, tf.gather(all_labels, index)

    return splits.Split(
        name=name,
        class_names=tuple(classes),
        num_examples=len(rows),
        read=read,
        describe=lambda index: os.fsdecode(paths[index]),
        labels=labels,
        multi_label=labels.ndim == 2,
    )
