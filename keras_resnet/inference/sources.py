"""Images without labels, in one order, listed while they are read.

A piece is what is listed at once: the images of a folder, or the records of a
file. One piece is kept at a time, so memory does not grow with their number.
"""

import hashlib
import os

import tensorflow as tf

from keras_resnet.data.examples import splits
from keras_resnet.data.stores import files
from keras_resnet.data.stores import listing
from keras_resnet.data.stores import reading
from keras_resnet.data.stores import records as records_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

_FEATURES = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}


def open_source(path):
    """The images that a folder or a pattern of TFRecord files holds.

    Args:
        path: of a folder, for the images in it and in all folders in it; or
            of TFRecord files, wildcards allowed, for the image/encoded of
            their examples. Any path that TensorFlow reads.

    Returns:
        `Folder` or `RecordFiles`.

    Raises:
        keras_resnet.UsageError: if there are none, or they cannot be listed.
    """
    path = normal(path)
    if listing.is_folder(os.fsencode(path)):
        source = Folder(path)
    else:
        source = RecordFiles(path)
    source.check()
    return source


def normal(path):
    """A path as text, without slashes at its end."""
    path = os.fsdecode(path)
    return path.rstrip("/") or path


class Folder:
    """Image files in a folder and in all folders in it.

    Attributes:
        names: columns that say which image it is.
        columns: {column: dtype} of the rows that `Cursor.rows` gives.
        is_remote: whether it is on another machine, by its path.
    """

    names = ("path",)
    columns = {"path": tf.string, "problem": tf.string}

    def __init__(self, path):
        self._path = os.fsencode(path)
        self.is_remote = listing.is_remote(self._path)

    def check(self):
        """Raises `UsageError` if there is no image."""
        path = os.fsdecode(self._path)
        extensions = ", ".join(e.decode() for e in listing.EXTENSIONS)
        require(
            any(True for _ in self.pieces()),
            f"The folder {path!r} and those in it hold no image: no file "
            f"that ends in {extensions}. For TFRecord files pass a pattern, "
            f"such as '{path}/*.tfrecord'.",
        )

    def pieces(self):
        """Yields the images of each folder as a piece."""
        for folder, images in listing.walk(self._path):
            yield _Files(folder, images)

    def encoded(self, row):
        """The file of an image, string scalar; `row` is {column: scalar}."""
        path, why = row["path"], row["problem"]
        if self.is_remote:
            why = files.remote_problem(path)
        return files.read_if(path, why)


class _Files:
    """The images of one folder."""

    def __init__(self, folder, images):
        self._folder, self._names = folder, images.names
        self._problems = images.problems

    def __len__(self):
        return len(self._names)

    def keys(self, first, last):
        for at in range(first, last):
            yield os.path.join(self._folder, self._names[at])

    def rows(self, first, last):
        names = self._names[first:last]
        return {
            "path": list(self.keys(first, last)),
            "problem": [self._problems.get(name, "") for name in names],
        }


class RecordFiles:
    """Examples of TFRecord files with an encoded image each.

    Attributes:
        names, columns, is_remote: as `Folder` has them.
    """

    names = ("file", "record")
    columns = {"file": tf.string, "record": tf.int64, "example": tf.string}

    def __init__(self, pattern):
        self._pattern = pattern
        self.is_remote = listing.is_remote(os.fsencode(pattern))
        try:
            self._paths = sorted(tf.io.gfile.glob(pattern))
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise UsageError(f"Cannot list {pattern!r}: {error}.") from error

    def check(self):
        """Raises `UsageError` if there is no record."""
        require(
            self._paths,
            f"There is neither a folder nor a file {self._pattern!r}. "
            "Expected a folder of images, or a pattern of TFRecord files "
            "such as 'data/train-*'.",
        )
        require(
            any(map(len, self.pieces())),
            f"The files {self._pattern!r} are empty: there is no record.",
        )

    def pieces(self):
        """Yields the records of each file as a piece."""
        for path in self._paths:
            yield _Records(path)

    def encoded(self, row):
        """The file in an example, string scalar; `row` is {column: scalar}."""
        example = row["example"]
        example = splits.checked(example, example != "", "it is damaged")
        return tf.io.parse_single_example(example, _FEATURES)["image/encoded"]


class _Records:
    """The records of one file."""

    def __init__(self, path):
        self._path = os.fsencode(path)
        self._records = records_lib.find([(path, 0, None)])

    def __len__(self):
        return len(self._records.files)

    def keys(self, first, last):
        for number in range(first, last):
            yield b"%s\0%d" % (self._path, number)

    def rows(self, first, last):
        return {
            "file": [self._path] * (last - first),
            "record": list(range(first, last)),
            "example": reading.read_block(self._records, first, last),
        }


class Cursor:
    """A place in a source, which only goes forward.

    Attributes:
        position: how many images it has passed.
    """

    def __init__(self, source):
        self._pieces = iter(source.pieces())
        self._piece, self._next = (), 0
        self._seen = hashlib.sha256()
        self.position = 0

    @property
    def digest(self):
        """The sha256 of the names that it has passed, hexadecimal."""
        return self._seen.hexdigest()

    def skip(self, count):
        """Goes forward by a number of images, or to the end."""
        for _ in self._runs(count):
            pass

    def rows(self, count):
        """The next images, fewer at the end: {column: list}."""
        runs = [piece.rows(*run) for piece, *run in self._runs(count)]
        names = runs[0] if runs else ()
        return {name: [v for run in runs for v in run[name]] for name in names}

    def _runs(self, count):
        """(piece, first, last) of the next images."""
        while count:
            if self._next == len(self._piece):
                self._piece, self._next = next(self._pieces, None), 0
                if self._piece is None:
                    self._piece = ()
                    return
                continue
            first, self._next = (
                self._next,
                min(len(self._piece), self._next + count),
            )
            for key in self._piece.keys(first, self._next):
                self._seen.update(key + b"\0")
            self.position += self._next - first
            count -= self._next - first
            yield self._piece, first, self._next
