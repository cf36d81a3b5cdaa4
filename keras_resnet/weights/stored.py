"""A tensor of a file before it is read: what the file says of it."""

import dataclasses
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import require

FLOATS = ("bfloat16", "float16", "float32", "float64")

# What the readers of damaged files raise.
DAMAGE = (
    *(ValueError, OSError, KeyError, TypeError, RuntimeError, EOFError),
    *(AttributeError, OverflowError, IndexError),
    *(zipfile.BadZipFile, struct.error),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """Shape and type of a tensor, and how to read it.

    Attributes:
        shape: as the file has it.
        dtype: NumPy's name of the type, or "bfloat16".
        load: () -> array of that shape; bfloat16 comes as float32.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]

    def read(self, what):
        """The array.

        Args:
            what: name of the weight that it is to be, for the message.

        Raises:
            keras_resnet.UsageError: if it is no array of floats, or damaged.
        """
        require(
            self.dtype in FLOATS,
            f"{what} is of type {self.dtype}, which is no weight.",
        )
        try:
            return self.load()
        except UsageError as error:
            raise UsageError(f"{what}: {error}") from error
        except DAMAGE as error:
            raise UsageError(
                f"{what} is damaged: {repr(error)[:300]}. Get or write the "
                "file again."
            ) from error


def widened(halves):
    """bfloat16 numbers as float32, which represents each exactly.

    Args:
        halves: uint16, the bits of the numbers: a float32's upper half.
    """
    return (halves.astype("uint32") << 16).view("float32")
