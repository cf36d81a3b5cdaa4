"""Image files from the command line, as the network's view."""

import pathlib

import tensorflow as tf

from keras_resnet.data import decoding
from keras_resnet.data import transforms
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


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
            found = sorted(
                child
                for child in path.iterdir()
                if child.suffix.lower() in SUFFIXES
            )
        require(
            found,
            f"The folder {str(path)!r} holds no image: no file that ends in "
            f"{', '.join(SUFFIXES)}.",
        )
        files += found
    return files


def read(file, card):
    """The evaluation view of an image file: uint8 (S, S, 3).

    Raises:
        UsageError: if the file cannot be read.
    """
    return transforms.evaluation(
        read_whole(file), resize=card.eval_resize, size=card.image_size
    ).numpy()


def read_whole(file):
    """The pixels of an image file: uint8 (H, W, 3).

    Raises:
        UsageError: if the file cannot be read.
    """
    try:
        return decoding.decode(file.read_bytes()).numpy()
    except OSError as error:
        raise UsageError(
            f"Cannot read {str(file)!r}: {error.strerror}."
        ) from error
    except tf.errors.InvalidArgumentError as error:
        raise UsageError(
            f"{str(file)!r} is not an image that can be read. Expected a "
            "whole JPEG, PNG, BMP or GIF file."
        ) from error
