"""Safetensors files: a header in JSON, then the numbers.

The safetensors library gives NumPy no bfloat16 and copies everything. This
module reads numbers in place.

References: github.com/huggingface/safetensors, README, "Format".
"""

import functools
import json
import math

import numpy as np

from keras_resnet.errors import require
from keras_resnet.weights.stored import Stored
from keras_resnet.weights.stored import widened

_MAX_HEADER = 10 * 2**20  # bytes; ResNet-1202's is 1 MB
# {type in the header: (type, its code in NumPy)}.
_NUMBERS = {
    "F64": ("float64", "<f8"),
    "F32": ("float32", "<f4"),
    "F16": ("float16", "<f2"),
    "BF16": ("bfloat16", "<u2"),
    "I64": ("int64", "<i8"),
    "I32": ("int32", "<i4"),
    "I16": ("int16", "<i2"),
    "I8": ("int8", "<i1"),
    "U8": ("uint8", "<u1"),
    "BOOL": ("bool", "?"),
}


def read(content):
    """The tensors of a file.

    Args:
        content: bytes.

    Returns:
        ({name: `Stored`}, {key: text} of its metadata).

    Raises:
        keras_resnet.UsageError: if what its header says is not what it holds.
    """
    length = int.from_bytes(content[:8], "little")
    require(
        length <= min(_MAX_HEADER, len(content) - 8),
        f"is damaged: its header claims {length} bytes.",
    )
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    require(
        isinstance(metadata, dict)
        and all(isinstance(text, str) for text in metadata.values()),
        "is damaged: its metadata are not texts.",
    )
    numbers = memoryview(content)[8 + length :]
    tensors = {
        name: _stored(name, row, numbers) for name, row in header.items()
    }
    _check_places(header, len(numbers))
    return tensors, metadata


def _check_places(header, size):
    """Refuses tensors that overlap, or bytes that belong to none."""
    at = 0
    for start, end in sorted(row["data_offsets"] for row in header.values()):
        require(start == at, f"is damaged: its byte {at} is of no tensor.")
        at = end
    require(at == size, f"is damaged: its tensors end at {at} of {size} bytes.")


def _stored(name, row, numbers):
    shape, (start, end) = tuple(row["shape"]), row["data_offsets"]
    sizes = (start, end, *shape)
    dtype, code = _NUMBERS.get(row["dtype"], (row["dtype"], None))
    require(
        all(type(n) is int and 0 <= n < 2**63 for n in sizes)
        and start <= end <= len(numbers)
        and (
            code is None
            or math.prod(shape) * np.dtype(code).itemsize == end - start
        ),
        f"is damaged: {name[:100]} is of {end - start} bytes, not {shape}.",
    )
    return Stored(
        shape=shape,
        dtype=dtype,
        load=functools.partial(_array, numbers[start:end], shape, dtype, code),
    )


def _array(numbers, shape, dtype, code):
    array = np.frombuffer(numbers, code).reshape(shape)
    return widened(array) if dtype == "bfloat16" else array
