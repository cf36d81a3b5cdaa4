"""A manifest: what every example of a data set was when it was last whole.

The pixels of a JPEG have no checksum, so a changed byte usually still decodes,
to a wrong image. Only an earlier sha256 reveals it.

A manifest is a text file of JSON lines: a header, then one line for each
example, in order. Names that are not UTF-8 are escaped surrogates (PEP 383).
"""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile

import tensorflow as tf

from keras_resnet import files
from keras_resnet.data.examples import class_labels
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

FORMAT = "keras_resnet manifest 1"


def records(key, split, *, max_pixels=headers.MAX_PIXELS):
    """Decodes every pixel of every example once.

    Args:
        key: "train" or "validation".
        split: `datasets.Split`.
        max_pixels: int, width times height above which nothing is decoded.

    Yields:
        dict for each example, in order: split, name, label (int, or the
        classes of a `multi_label` split, or None), bytes, sha256 of the
        encoded file, width, height, mode; where it cannot be decoded, error,
        a str, and what else is known. For a split that holds pixels, bytes
        and sha256 are those of the pixels.
    """

    def work(image):
        found = {
            "bytes": len(bytes(image)),
            "sha256": hashlib.sha256(bytes(image)).hexdigest(),
        }
        try:
            if isinstance(image, bytes):
                header = headers.read(image, max_pixels)
                found["mode"] = header.mode
            height, width, _ = scanning.pixels(image).shape
            found |= {"width": int(width), "height": int(height)}
        except BadImageError as error:
            found["error"] = str(error)
        except tf.errors.OpError as error:
            found["error"] = scanning.reason(error)
        return found

    for outcome in scanning.scan(split, work):
        found = outcome.value or {"error": outcome.problem}
        yield {
            "split": key,
            "name": scanning.file_name(split, outcome.index),
            "label": outcome.label,
            **found,
        }


class Writer:
    """Writes a manifest to a temporary file, then moves it into place.

    Args:
        path: of the manifest; None writes nothing.
        dataset: its name, for the header.
        class_names: of the labels 0, 1, ...

    Attributes:
        digest: sha256, hex, of all lines after the header, after `close`.
    """

    def __init__(self, path, *, dataset, class_names):
        self._path = None if path is None else pathlib.Path(path)
        self._header = {
            "format": FORMAT,
            "dataset": dataset,
            "class_names": list(class_names),
        }
        self._counts, self._unreadable = {}, 0
        self._hash = hashlib.sha256()
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lines = tempfile.TemporaryFile(
            dir=self._path and self._path.parent
        )

    def add(self, record):
        """Adds one example."""
        line = json.dumps(record).encode("ascii") + b"\n"
        self._hash.update(line)
        self._lines.write(line)
        key = record["split"]
        self._counts[key] = self._counts.get(key, 0) + 1
        self._unreadable += "error" in record

    def close(self):
        """Moves the whole file into place."""
        self.digest = self._hash.hexdigest()
        if self._path is None:
            return
        header = self._header | {
            "splits": self._counts,
            "unreadable": self._unreadable,
            "digest": self.digest,
        }
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        files.create(beside)
        with beside.open("wb") as file:
            file.write(json.dumps(header).encode("ascii") + b"\n")
            self._lines.seek(0)
            shutil.copyfileobj(self._lines, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def read(path):
    """The lines of a manifest: the header, then the examples.

    Yields:
        dict.

    Raises:
        keras_resnet.UsageError: if it is no manifest, or, after the last line,
            if it was changed since it was written.
    """
    digest = hashlib.sha256()
    try:
        with files.open_file(path) as file:
            lines = iter(lambda: file.readline(files.MAX_TEXT), b"")
            header = _with(_HEADER, files.parse_json(next(lines, b"")))
            if header["format"] != FORMAT:
                raise ValueError
            yield header
            for line in lines:
                digest.update(line)
                yield _with(_LINE, files.parse_json(line))
    except OSError as error:
        raise UsageError(
            f"Cannot read the manifest {str(path)!r}: {error.strerror}."
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{str(path)!r} is not a manifest of `keras-resnet data validate`, "
            "or it is "
            "damaged."
        ) from error
    require(
        digest.hexdigest() == header["digest"],
        f"The manifest {str(path)!r} was changed after it was written: its "
        "lines do not have the digest in its header.",
    )


# The fields that a line must have, and their types.
_HEADER = {"format": str, "digest": str, "class_names": list}
_LINE = {"split": str, "name": str, "label": int | list | None}


def _with(fields, row):
    """The row, if it is a dict with these fields of these types.

    Raises:
        ValueError: if it is not.
    """
    if isinstance(row, dict) and all(
        name in row and isinstance(row[name], kind)
        for name, kind in fields.items()
    ):
        return row
    raise ValueError(f"without {', '.join(fields)}: {row!r}")


class Comparison:
    """Compares an earlier manifest with the examples of today.

    Args:
        path: of the earlier manifest. Its names and hashes are held in memory.
        class_names: of the data set today.
        splits: keys of the splits to compare; others do not count as missing.

    Attributes:
        changed: [(split, name)] whose bytes differ.
        relabelled: [(split, name)] whose class differs.
        new: [(split, name)] that the manifest lacks.
    """

    def __init__(self, path, *, class_names, splits):
        lines = read(path)
        header = next(lines)
        self._old_names, self._names = header["class_names"], class_names
        self._old = {
            (line["split"], line["name"]): (line.get("sha256"), line["label"])
            for line in lines
            if line["split"] in splits
        }
        self.changed, self.relabelled, self.new = [], [], []

    def add(self, record):
        """Adds one example of today."""
        key = record["split"], record["name"]
        if key not in self._old:
            self.new.append(key)
            return
        sha256, label = self._old.pop(key)
        if sha256 != record.get("sha256"):
            self.changed.append(key)
        elif _names(self._old_names, label) != _names(
            self._names, record["label"]
        ):
            self.relabelled.append(key)

    @property
    def missing(self):
        """[(split, name)] of the manifest that have not been added."""
        return list(self._old)


def _names(class_names, label):
    """The class names of a label; a number that no class has stays as it is."""
    names = dict(enumerate(class_names))
    return [names.get(n, n) for n in class_labels.classes_of(label)]
