"""Small data sets as NumPy arrays, from their authors' files. No TensorFlow.

N examples of H x W pixels.
"""

import dataclasses
import gzip
import hashlib
import io
import pathlib
import zlib

import numpy as np

from keras_resnet import files
from keras_resnet.data.examples import order
from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.errors import require

DIGITS = pathlib.Path(__file__).parent.with_name("digits.npz")
_DIGITS_SHA256 = (
    "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"
)
_MAX_BYTES = 2**28  # of a file, unpacked; the largest has 47 MB
_NUMBERS = tuple(str(digit) for digit in range(10))
# The names that TensorFlow Datasets gives them.
_FASHION = tuple(
    "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,"
    "Ankle boot".split(",")
)
_CIFAR10 = tuple(
    "airplane automobile bird cat deer dog frog horse ship truck".split()
)

# sha256 of what gzip unpacks from the published files of Fashion-MNIST.
# TensorFlow Datasets lists the sha256 of the packed files.
FASHION_MNIST_FILES = {
    "train-images-idx3-ubyte.gz": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arrays:
    """One split of a data set.

    Attributes:
        images: uint8 (N, H, W, 3).
        labels: int32 (N,); or uint8 (N, K) of 0 and 1, where an image has any
            number of labels.
        class_names: of the labels 0, 1, ...
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    @property
    def multi_label(self):
        """Whether an image has any number of labels."""
        return self.labels.ndim == 2


def load(dataset, split, folder=None):
    """A split in the order of its files; TFDS permutes it.

    Args:
        dataset: key of `READERS`.
        split: "train", or "validation": the test images where there are no
            others.
        folder: of the files; the digits need none.

    Returns:
        `Arrays`.

    Raises:
        keras_resnet.UsageError: if the data set or the split is unknown, or a
            file is missing or is not what it should be.
    """
    read = lookup(READERS, dataset, "data set of arrays")
    lookup(dict.fromkeys(("train", "validation")), split, f"split of {dataset}")
    require(
        folder is not None or dataset == "digits",
        f"{dataset} needs --data_dir, the folder of its authors' files.",
    )
    return read(split, folder and pathlib.Path(folder))


def are_in(folder, dataset):
    """Whether a folder, or None, has the files of a data set."""
    names = {"cifar10": "test_batch.bin"}
    name = names.get(dataset, "t10k-labels-idx1-ubyte.gz")
    return dataset == "digits" or bool(
        folder and pathlib.Path(folder, name).exists()
    )


def check_fashion_mnist(folder):
    """Refuses files other than the four published ones of Fashion-MNIST.

    Raises:
        keras_resnet.UsageError: if a file is missing or differs; names it.
    """
    for name, published in FASHION_MNIST_FILES.items():
        content = _unpacked(pathlib.Path(folder, name))
        require(
            hashlib.sha256(content).hexdigest() == published,
            f"{name} in {str(folder)!r} is not the published one.",
        )


def evenly_spaced(split, number):
    """The examples that `splits.evenly_spaced` takes; 0 for all.

    Raises:
        keras_resnet.UsageError: if there are fewer.
    """
    if not number:
        return split
    indices = order.evenly_spaced("The split", len(split.labels), number)
    return dataclasses.replace(
        split, images=split.images[indices], labels=split.labels[indices]
    )


def digits(split, folder=None):
    """The digits that the package holds: 8 x 8 pixels."""
    del folder
    data = DIGITS.read_bytes()
    require(
        hashlib.sha256(data).hexdigest() == _DIGITS_SHA256,
        f"{DIGITS} is damaged: its sha256 is not {_DIGITS_SHA256}. "
        "Install the package again.",
    )
    with np.load(DIGITS) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    # Every fifth image, so that both splits hold every writer.
    chosen = np.arange(len(images)) % 5 == 4
    chosen = chosen if split == "validation" else ~chosen
    # The pixels count 0..16 dots.
    pixels = np.round(images[chosen] * (255 / 16)).astype(np.uint8)
    return Arrays(
        images=np.repeat(pixels[..., np.newaxis], 3, axis=-1),
        labels=labels[chosen].astype(np.int32),
        class_names=_NUMBERS,
    )


def _mnist(class_names):
    def read(split, folder):
        name = "train" if split == "train" else "t10k"
        images = _idx(folder / f"{name}-images-idx3-ubyte.gz", 3)
        labels = _idx(folder / f"{name}-labels-idx1-ubyte.gz", 1)
        images = np.repeat(images[..., np.newaxis], 3, axis=-1)
        return _checked(images, labels, class_names, folder)

    return read


def _idx(path, rank):
    """An array of bytes; LeCun's page of MNIST describes the format."""
    data = _unpacked(path)
    header = np.frombuffer(data[: 4 + 4 * rank], ">u4")
    good = len(header) == 1 + rank and header[0] == 0x0800 + rank
    content = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    require(
        good and content.size == np.prod(header[1:], dtype=np.int64),
        f"{path} is not an IDX file of {rank} dimensions of bytes.",
    )
    return content.reshape(header[1:])


def _unpacked(path):
    try:
        with gzip.open(io.BytesIO(_bytes(path))) as file:
            return files.bounded(file, path, _MAX_BYTES)
    except UsageError:
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UsageError(f"{path} is damaged: {error}.") from error


def _cifar10(split, folder):
    """The "binary version" of CIFAR-10: a label, then planes of 32 x 32."""
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    names = names if split == "train" else ["test_batch.bin"]
    rows = np.concatenate([_rows(folder / name) for name in names])
    planes = rows[:, 1:].reshape(-1, 3, 32, 32)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return _checked(images, rows[:, 0], _CIFAR10, folder)


def _rows(path):
    data, size = _bytes(path), 1 + 3 * 32 * 32
    require(
        data and len(data) % size == 0,
        f"{path} is not of CIFAR-10's binary version: it has {len(data)} "
        f"bytes, no multiple of {size}.",
    )
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def _bytes(path):
    try:
        return files.read(path, _MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror}. --data_dir must be the "
            "folder of the data set's files, as their authors named them."
        ) from error


def _checked(images, labels, class_names, folder):
    require(
        len(images) == len(labels) > 0,
        f"{folder} has {len(images)} images and {len(labels)} labels.",
    )
    require(
        labels.max() < len(class_names),
        f"{folder} has the label {labels.max()}, which no class has.",
    )
    return Arrays(
        images=images, labels=labels.astype(np.int32), class_names=class_names
    )


READERS = {
    "digits": digits,
    "mnist": _mnist(_NUMBERS),
    "fashion_mnist": _mnist(_FASHION),
    "cifar10": _cifar10,
}
