"""Pictures as a caller has them: files, PIL images, arrays."""

import os
import pathlib

import numpy as np

from keras_resnet.data.examples import pillow
from keras_resnet.data.pixels import on_pillow
from keras_resnet.data.pixels.headers import BadImageError
from keras_resnet.data.stores import files as files_lib
from keras_resnet.data.stores import listing
from keras_resnet.errors import UsageError
from keras_resnet.errors import require


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


def named(pictures):
    """[(name, picture)] of what a caller passes, one picture or several.

    Args:
        pictures: paths of image files or of folders of them, PIL images,
            uint8 arrays (H, W, 3), or one array (B, H, W, 3).

    Raises:
        UsageError: if there are none, or a path does not exist.
    """
    shape = np.shape(pictures) if isinstance(pictures, np.ndarray) else ()
    if _is_path(pictures) or pillow.is_pillow(pictures) or len(shape) == 3:
        pictures = [pictures]
    pictures = list(pictures)
    require(pictures, "There are no images. Pass image files or folders.")
    found = []
    for picture in pictures:
        if _is_path(picture):
            found += [(str(file), file) for file in files([picture])]
        else:
            found.append((f"image {len(found)}", picture))
    return found


def _is_path(picture):
    return isinstance(picture, (str, os.PathLike))


def read(picture, view):
    """The evaluation view of a picture: uint8 (S, S, 3).

    Args:
        picture: as `read_whole` takes it.
        view: `labels.view.View`.

    Raises:
        UsageError: if it cannot be read.
    """
    return on_pillow.evaluation(read_whole(picture, view.exif), view)


def read_whole(picture, exif):
    """The pixels of a picture: uint8 (H, W, 3).

    Args:
        picture: path of an image file, PIL image, or uint8 array (H, W, 3).
        exif: key of `labels.view.EXIF`, of the model that will see it. A PIL
            image from a JPEG is turned as the file would be.

    Raises:
        UsageError: if it cannot be read, or is an array of another kind.
    """
    if _is_path(picture):
        return _read_file(picture, exif)
    if pillow.is_pillow(picture):
        return _of_pillow(picture, exif)
    pixels = np.asarray(picture)
    require(
        pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3,
        "A picture in memory is a PIL image or a uint8 array (H, W, 3) of RGB "
        f"pixels 0..255. Received: {pixels.dtype} of shape {pixels.shape}.",
    )
    return pixels


def _of_pillow(picture, exif):
    try:
        return pillow.pixels(picture, exif)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{picture!r} cannot be read: {error}. Convert it, as by "
            'picture.convert("RGB"), or pass the file.'
        ) from error


def _read_file(file, exif):
    try:
        return _decode(files_lib.read(file), exif)
    except OSError as error:
        raise UsageError(
            f"Cannot read {str(file)!r}: {error.strerror}."
        ) from error
    except BadImageError as error:
        raise UsageError(
            f"{str(file)!r} is not an image that can be read: {error}. "
            "Expected a whole JPEG, PNG, GIF, BMP or WebP file."
        ) from error


def _decode(encoded, exif):
    pixels = on_pillow.decode(encoded, exif)
    if pixels is not None:
        return pixels

    from keras_resnet.data.examples import graphs
    from keras_resnet.data.pixels import decoding

    try:
        return decoding.decode(encoded, exif).numpy()
    except graphs.READ_ERRORS as error:
        raise BadImageError(decoding.reason(error)) from error
