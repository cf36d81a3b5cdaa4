"""Image files from the command line, as the network's view."""

import os
import pathlib

import tensorflow as tf

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import headers
from keras_resnet.data.pixels import transforms
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.stores import files as files_lib
from keras_resnet.data.stores import listing
from keras_resnet.data.survey import scanning
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.labels.view import View


def files(paths):
    """The image files among the arguments and in folders among them.

    Raises:
        UsageError: if there are none, or a path does not exist.
    """
    require(paths, "There are no images. Pass image files or folders.")
    files = []
    for path in map(pathlib.Path, paths):
        require(path.exists(), f"There is no image {str(path)!r}.")
        found = [path]
        if path.is_dir():
            names = listing.images(os.fsencode(path)).names
            found = [path / os.fsdecode(name) for name in names]
        require(
            found,
            f"The folder {str(path)!r} holds no image: no file that ends in "
            f"{', '.join(map(os.fsdecode, listing.EXTENSIONS))}.",
        )
        files += found
    return files


def read(file, card):
    """The evaluation view of an image file: uint8 (S, S, 3).

    Raises:
        UsageError: if the file cannot be read.
    """
    image = read_whole(file, card.exif)
    return transforms.evaluation(image, View.of(card)).numpy()


def read_whole(file, exif):
    """The pixels of an image file: uint8 (H, W, 3).

    Args:
        file: path.
        exif: of the card of the model that is to see it.

    Raises:
        UsageError: if the file cannot be read.
    """
    try:
        encoded = files_lib.read(file)
        headers.read(encoded)
        return decoding.decode(encoded, exif).numpy()
    except OSError as error:
        raise UsageError(
            f"Cannot read {str(file)!r}: {error.strerror}."
        ) from error
    except (BadImageError, tf.errors.OpError) as error:
        raise UsageError(
            f"{str(file)!r} is not an image that can be read: "
            f"{scanning.reason(error)}. Expected a whole JPEG, PNG, GIF, BMP "
            "or WebP file."
        ) from error
