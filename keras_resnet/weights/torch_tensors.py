"""PyTorch's tensors in a pickle, and as arrays."""

import dataclasses
import functools
import math

import numpy as np

from keras_resnet.errors import require
from keras_resnet.weights import pickles
from keras_resnet.weights.pickles import Named
from keras_resnet.weights.stored import Stored
from keras_resnet.weights.stored import widened

_MAX_RANK = 32
# {storage: type, and its code in NumPy}.
_NUMBERS = {
    "DoubleStorage": ("float64", "f8"),
    "FloatStorage": ("float32", "f4"),
    "HalfStorage": ("float16", "f2"),
    "BFloat16Storage": ("bfloat16", "u2"),
    "LongStorage": ("int64", "i8"),
    "IntStorage": ("int32", "i4"),
    "ShortStorage": ("int16", "i2"),
    "CharStorage": ("int8", "i1"),
    "ByteStorage": ("uint8", "u1"),
    "BoolStorage": ("bool", "?"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a pickle says of numbers that lie beside it."""

    key: str
    dtype: str
    code: str
    count: int

    @property
    def nbytes(self):
        return self.count * np.dtype(self.code).itemsize


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A view of a storage; offset and strides count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def unpickled(stream, storages=None):
    """What a pickle of PyTorch describes, with `Tensor` for its tensors.

    Args:
        stream: binary file at its beginning; left at its end.
        storages: dict that gets each `Storage` by its key, or None.
    """

    def persistent(name):
        storage = _storage(name)
        if isinstance(storage, Storage) and storages is not None:
            storages[storage.key] = storage
        return storage

    return pickles.load(stream, _FUNCTIONS, persistent)


def _storage(name):
    """What a persistent id means: numbers, or in old files a class."""
    if isinstance(name, tuple) and len(name) == 4 and name[0] == "module":
        return name[1]
    require(
        isinstance(name, tuple)
        and len(name) in (5, 6)
        and name[0] == "storage"
        and isinstance(name[1], Named)
        and type(name[2]) is str
        and _is_size(name[4]),
        "its pickle refers to something other than PyTorch's storages.",
    )
    _, kind, key, _, count, *view = name
    numbers = _NUMBERS.get(kind.name.removeprefix("torch."))
    if numbers is None or view not in ([], [None]):
        return Named(kind.name)
    dtype, code = numbers
    return Storage(key=key, dtype=dtype, code=code, count=count)


def _is_size(value):
    return type(value) is int and 0 <= value < 2**63


def _tensor(storage, offset, shape, strides, grad, hooks, bits=None):
    """What `_rebuild_tensor_v2` makes; `bits` are a sign or a conjugate."""
    if not isinstance(storage, Storage) or bits:
        return Named(getattr(storage, "name", "torch.Tensor"))
    sizes = (offset, *shape, *strides)
    require(
        len(shape) == len(strides) <= _MAX_RANK and all(map(_is_size, sizes)),
        "a tensor of it has a shape, offset or strides that cannot be.",
    )
    return Tensor(
        storage=storage,
        offset=offset,
        shape=tuple(shape),
        strides=tuple(strides),
    )


def _dict(pairs=()):
    return {pickles.as_key(key): value for key, value in pairs}


_FUNCTIONS = {
    "collections.OrderedDict": _dict,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, grad, hooks: data,
}


def stored(name, tensor, places, order):
    """The `Stored` of a tensor, if the file has all of its numbers.

    Args:
        name: for the message.
        tensor: `Tensor`.
        places: {key of a storage: (bytes held, function that gives them)}.
        order: "<" or ">", of the bytes of a number.

    Raises:
        keras_resnet.UsageError: if it claims more numbers than there are.
    """
    storage, count = tensor.storage, math.prod(tensor.shape)
    held, load = places.get(storage.key, (0, None))
    size = np.dtype(storage.code).itemsize
    last = tensor.offset + sum(
        (n - 1) * step
        for n, step in zip(tensor.shape, tensor.strides, strict=True)
    )
    require(
        load is not None
        and storage.nbytes <= held
        and (count == 0 or max(count, last + 1) <= storage.count),
        f"{name} claims {count * size} bytes, {tensor.shape}, of a storage of "
        f"{storage.nbytes}, and the file holds {held}. If it is a view, save "
        "tensor.contiguous().",
    )
    return Stored(
        shape=tensor.shape,
        dtype=storage.dtype,
        load=functools.partial(_array, tensor, load, order),
    )


def _array(tensor, load, order):
    code = np.dtype(order + tensor.storage.code)
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, code)
    numbers = np.frombuffer(load(), code, tensor.storage.count)
    # A step along an axis of one number is never taken, and may be anything.
    strides = [
        step * code.itemsize if n > 1 else 0
        for n, step in zip(tensor.shape, tensor.strides, strict=True)
    ]
    array = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return widened(array) if tensor.storage.dtype == "bfloat16" else array
