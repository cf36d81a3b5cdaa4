"""Reads a CSV file of pictures, row by row; `table` describes the format."""

import csv
import io
import os

import tensorflow as tf

from keras_resnet import files as files_lib
from keras_resnet.data.stores import cells
from keras_resnet.data.stores import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require

SEPARATOR = "|"
_MAX_BYTES = 2**28  # some million pictures

# Columns that the first line must name; `split` may be missing.
_COLUMNS = ({"path", "label"}, {"path", "labels"})


def read(file):
    """([{"line", "path", "classes", "split"}], whether it is multi-label).

    Args:
        file: path of the CSV file, str, here or on a remote store.

    Raises:
        keras_resnet.UsageError: if it cannot be read, or a row is invalid.
    """
    text = _text(file)
    require(text.strip(), f"{file!r} is empty.")
    # The csv module splits lines itself; strict=True finds a missing quote.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(reader)]
        several = _check_columns(columns, file)
        rows = [
            _row(columns, fields, reader.line_num, file)
            for fields in reader
            if fields
        ]
    except csv.Error as error:
        raise UsageError(
            f"Line {reader.line_num} of {file!r} cannot be read: {error}."
        ) from error
    require(rows, f"{file!r} has no rows below its first line.")
    return rows, several


def _text(file):
    """What is in the file, here or on a remote store."""
    try:
        if is_remote(file):
            with tf.io.gfile.GFile(file, "rb") as opened:
                content = opened.read()
        else:
            # This refuses a pipe, too: a run reads the file several times.
            content = files_lib.read(file, _MAX_BYTES)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise UsageError(
            f"Line {line} of {file!r} is not in UTF-8. Save the file as "
            '"CSV UTF-8".'
        ) from error
    except FileNotFoundError as error:
        raise UsageError(f"There is no CSV file {file!r}.") from error
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise UsageError(f"Cannot read {file!r}: {why}.") from error


def _check_columns(columns, file):
    """Whether the column of the classes is `labels`."""
    require(
        set(columns) - {"split"} in _COLUMNS
        and len(set(columns)) == len(columns),
        f"The first line of {file!r} must name its columns, with commas in "
        "between: path,label or path,labels (several, as cat|dog), and maybe "
        f"split. Received: {','.join(columns)!r}.",
    )
    return "labels" in columns


def _row(columns, fields, line, file):
    where = f"Line {line} of {file!r}"
    require(
        len(fields) == len(columns),
        f"{where} has {len(fields)} fields; the first line has "
        f"{len(columns)}. Put a field with a comma into quotes.",
    )
    row = dict(zip(columns, map(cells.read, fields), strict=True))
    split = row.get("split", "train").strip()
    require(split, f"{where} has no split, as others have.")
    path = row["path"]
    if not is_remote(path):
        path = os.path.join(os.path.dirname(file), path)
    if not is_remote(path):
        path = os.path.normpath(path)
    classes = _classes(row, where)
    return {"line": line, "path": path, "classes": classes, "split": split}


def _classes(row, where):
    """Names of the classes of a row."""
    if "label" in row:
        names = [row["label"].strip()]
        require(
            SEPARATOR not in names[0],
            f"{where} has the label {names[0]!r}. For several classes call "
            f"the column labels; {SEPARATOR} cannot be in a name.",
        )
    elif not row["labels"].strip():
        return []
    else:
        names = [name.strip() for name in row["labels"].split(SEPARATOR)]
    require(all(names), f"{where} has a class without a name.")
    return names


def is_remote(path):
    """Whether a path, str, is on a remote store."""
    return files.is_remote(os.fsencode(path))
