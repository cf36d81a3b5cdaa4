"""Jobs of `inference.batch` on a folder of small images, for its tests."""

import functools
import os
import pathlib

import odd_images
import pyarrow.parquet
import pytest

from keras_resnet.data.pixels import decoding
from keras_resnet.errors import UsageError
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.inference import batch
from keras_resnet.inference import runtime
from keras_resnet.inference.tflite_metadata import find_card

FORMATS = {
    "keras": "model.keras",
    "saved_model": "saved_model",
    "tflite": "model.tflite",
    "onnx": "model.onnx",
}
# In the order of the table: a folder's own images first. Some names are hard to
# handle: wildcards, a blank, a folder named like an image, a name not in UTF-8.
NAMES = [
    b"10.jpg",
    b"9.JPEG",
    b"[*]?.png",
    b"two words.bmp",
    b"a/1.png",
    b"a/2.png",
    b"a/b/c/deep.gif",
    b"folder.jpg/in it.jpg",
    *(b"z/%03d.png" % number for number in range(30)),
    b"z/caf\xe9.jpg",
]
KINDS = {b".jpg": "JPEG", b".jpeg": "JPEG", b".bmp": "BMP", b".gif": "GIF"}
# Few batches: each costs more than its images.
SIZES = {"batch_size": 16, "rows_per_part": 16}


def write(folder, name, data):
    path = os.path.join(os.fsencode(folder), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def image_file(number, name):
    """A file of an image like no other."""
    image = odd_images.photograph(20 + 3 * number, 60 - number)
    image = image.point(lambda value: (value + 37 * number) % 256)
    kind = KINDS.get(os.path.splitext(name)[1].lower(), "PNG")
    return odd_images.encode(image, kind)


def make(model, folder, output):
    return batch.Job(
        model=model,
        input=str(folder),
        output=str(output / "predictions.parquet"),
        probabilities=True,
        **SIZES,
    )


def table(job):
    return pyarrow.parquet.read_table(job.output)


def files(job):
    """{name: bytes} of what is visible in an output."""
    paths = pathlib.Path(job.output).glob("[!.]*")
    return {path.name: path.read_bytes() for path in sorted(paths)}


def times(job):
    """When each file of an output was written."""
    paths = pathlib.Path(job.output).iterdir()
    return {path.name: path.stat().st_mtime_ns for path in paths}


@functools.cache
def loaded(model):
    return runtime.load_predictor(model), find_card(model)


_decoded = functools.cache(decoding.decode)


def alone(model, encoded):
    """Probabilities of one file, from the artifact without a batch."""
    predictor, card = loaded(model)
    view = evaluation_views([_decoded(encoded)], card)
    return predictor.predict(view)[0]


def refuses(job, message, **options):
    with pytest.raises(UsageError, match=message):
        batch.run(job, **options)
