"""The table of predictions: one row per image.

Shapes: B images of a batch, G of them can be read, K classes.
"""

import numpy as np


class Rows:
    """Rows that are gathered batch by batch, as many as a part has.

    The columns: what names an image (`sources`), `path`, or `file` and
    `record`; for the `top` most probable classes `class_1` (string),
    `probability_1` (float32), `class_2` and so on; for labels that do not
    exclude each other `labels`, a list of all above 0.5; with `probabilities` a
    column of that name, a list of K float32; and `error` (string), why the
    image cannot be read. A column that says nothing is null. `probabilities`
    are NaN instead: Parquet's readers do not take null lists of a fixed size.

    Args:
        class_names: K names.
        top: int, at most K.
        probabilities: bool, keep those of all classes.
        multi_label: bool, whether labels do not exclude each other.
    """

    def __init__(self, class_names, *, top, probabilities, multi_label=False):
        self._class_names, self._top = class_names, top
        self._keeps_all, self._several = probabilities, multi_label
        self._empty()

    def _empty(self):
        self._names, self._errors = {}, []
        self._classes, self._values, self._all = [], [], []
        self._labels = []

    def __len__(self):
        return len(self._errors)

    def add(self, batch, probabilities):
        """Adds a `streams.Batch` with the float32 (G, K) of its images."""
        shape = (len(batch), len(self._class_names))
        full = np.full(shape, np.nan, np.float32)
        full[batch.places] = probabilities
        order = (-full).argsort(-1, kind="stable")[:, : self._top]
        self._classes.append(order)
        self._values.append(np.take_along_axis(full, order, -1))
        if self._several:
            self._labels += [self._names_above_half(row) for row in full]
        if self._keeps_all:
            self._all.append(full)
        for name, values in batch.names.items():
            self._names.setdefault(name, []).extend(map(_printable, values))
        self._errors += [batch.problems.get(i) for i in range(len(batch))]

    def _names_above_half(self, row):
        """Names in the order of the classes; None for an unreadable image."""
        if np.isnan(row[0]):
            return None
        return [self._class_names[i] for i in np.flatnonzero(row > 0.5)]

    def take(self):
        """Removes all rows; returns them as a `pyarrow.Table`."""
        import pyarrow as pa

        columns = {name: pa.array(v) for name, v in self._names.items()}
        bad = np.array([error is not None for error in self._errors])
        class_names = pa.array(self._class_names, pa.string())
        classes = np.concatenate(self._classes)
        values = np.concatenate(self._values)
        for k in range(self._top):
            index = pa.array(classes[:, k], mask=bad)
            columns[f"class_{k + 1}"] = class_names.take(index)
            columns[f"probability_{k + 1}"] = pa.array(values[:, k], mask=bad)
        if self._several:
            columns["labels"] = pa.array(self._labels, pa.list_(pa.string()))
        if self._keeps_all:
            columns["probabilities"] = pa.FixedSizeListArray.from_arrays(
                np.concatenate(self._all).ravel(), len(self._class_names)
            )
        columns["error"] = pa.array(self._errors, pa.string())
        self._empty()
        return pa.table(columns)


def _printable(value):
    """A name as text, with bytes that are not UTF-8 as escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value
