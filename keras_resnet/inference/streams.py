"""Batches of images for prediction, decoded ahead; none is lost.

Shapes: B images of a batch, G of them can be read, S side of the square.
"""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import execution
from keras_resnet.data.examples import graphs
from keras_resnet.data.examples.splits import first_or
from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.errors import UsageError


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some images of a source.

    Attributes:
        names: {column: B values}, which images they are; bytes or ints.
        images: uint8 (G, S, S, 3).
        places: int64 (G,), ascending: which of the B they are.
        problems: {place: why it cannot be read}, of the others.
        digest: of the `Cursor` after them.
    """

    names: dict
    images: np.ndarray
    places: np.ndarray
    problems: dict
    digest: str

    def __len__(self):
        return len(self.places) + len(self.problems)

    def describe(self, place):
        """What to call an image in a message."""
        values = [values[place] for values in self.names.values()]
        path = os.fsencode(values[0]).decode("utf-8", "backslashreplace")
        return f"record {values[1]} of {path}" if values[1:] else path


def batches(source, cursor, view, *, batch_size, boundary):
    """The evaluation views of the images from a cursor on, in order.

    One thread decodes a batch; there are as many at a time as cores. What
    cannot be read is tried a second time: a connection may have failed.

    Args:
        source: from `sources.open_source`.
        cursor: `sources.Cursor` of it; it runs ahead of what is yielded.
        view: `labels.view.View`: the shorter side and the central crop, S.
        batch_size: int, the greatest B.
        boundary: int; a batch ends at each multiple of it, counted from the
            beginning of the source.

    Yields:
        `Batch`.

    Raises:
        keras_resnet.UsageError: if images cannot be listed.
    """
    pixels = viewer(view)
    failures = []
    dataset = _rows(source, cursor, batch_size, boundary, failures)
    dataset = dataset.map(
        graphs.as_written(_reader(source, pixels, view.crop)),
        tf.data.AUTOTUNE,
    )
    try:
        for rows, digest, places, images in execution.ahead(dataset):
            yield _batch(source, pixels, rows, digest, places, images)
    except graphs.READ_ERRORS:
        if failures:
            raise failures[0] from None
        raise


def _rows(source, cursor, batch_size, boundary, failures):
    """A data set of (the cursor's rows, the digest after them)."""

    def listed():
        try:
            while True:
                left = boundary - cursor.position % boundary
                rows = cursor.rows(min(batch_size, left))
                if not rows:
                    return
                yield rows, cursor.digest
        except UsageError as error:
            failures.append(error)  # tf.data would raise one of its own
            raise

    signature = (
        {n: tf.TensorSpec((None,), d) for n, d in source.columns.items()},
        tf.TensorSpec((), tf.string),
    )
    return tf.data.Dataset.from_generator(listed, output_signature=signature)


def viewer(view):
    """A function from an image file, string scalar, to uint8 (S, S, 3)."""

    def pixels(encoded):
        image = decoding.decode(encoded, view.exif)
        image = transforms.evaluation(image, view)
        return tf.ensure_shape(image, (view.crop, view.crop, 3))

    return pixels


def _reader(source, pixels, size):
    """Adds (places, images) of the images of a batch that can be read."""

    def read(rows, digest):
        def one(place):
            row = {name: tf.gather(v, place) for name, v in rows.items()}
            return place, pixels(source.encoded(row))

        number = tf.size(rows[source.names[0]], tf.int64)
        good = tf.data.Dataset.range(number).map(one)
        good = good.ignore_errors(log_warning=False).batch(number)
        # If no image can be read: there must be one batch.
        none = tf.data.Dataset.from_tensors(
            (
                tf.zeros((0,), tf.int64),
                tf.zeros((0, size, size, 3), tf.uint8),
            )
        )
        return rows, digest, *first_or(good, none)

    return read


def _batch(source, pixels, rows, digest, places, images):
    places, images = places.numpy(), images.numpy()
    number = len(rows[source.names[0]])
    problems = {}
    for place in np.setdiff1d(np.arange(number), places).tolist():
        row = {name: values[place] for name, values in rows.items()}
        image, why = _again(source, pixels, row)
        if why:
            problems[place] = why
            continue
        at = np.searchsorted(places, place)
        places = np.insert(places, at, place)
        images = np.insert(images, at, image, axis=0)
    return Batch(
        names={name: rows[name].numpy().tolist() for name in source.names},
        images=images,
        places=places,
        problems=problems,
        digest=digest.numpy().decode(),
    )


def _again(source, pixels, row):
    """(image, None) if it can be read now, else (None, why not)."""
    try:
        encoded = source.encoded(row)
        why = decoding.problem(encoded.numpy())
        return (None, why) if why else (pixels(encoded).numpy(), None)
    except graphs.READ_ERRORS as error:
        return None, decoding.reason(error)
