"""Weights in HDF5, as Keras 3 and earlier versions write them."""

import functools
import io
import math

import h5py
import numpy as np

from keras_resnet.errors import require
from keras_resnet.weights.stored import Stored
from keras_resnet.weights.stored import widened

# The variables of a Keras layer in the order in which it writes them.
_VARIABLES = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "pixel_normalization": ("mean", "std"),
    "": ("kernel", "bias"),
}
_SKIPPED = {"optimizer", "seed_generator"}  # state of training, not weights
# ResNet-1202 and the state of its optimizer are 25,000 groups and datasets.
_MAX_OBJECTS = 50_000
_MAX_TEXT = 1_000  # bytes of the name of a layer


def read(content):
    """Finds what `save_weights` of any Keras wrote; reads no array.

    Args:
        content: bytes of the file.

    Returns:
        ({"layer/variable": `Stored`}, name of the model or None).

    Raises:
        keras_resnet.UsageError: if it holds anything but plain datasets, or
            claims more than it holds.
    """
    file = h5py.File(io.BytesIO(content))  # its datasets keep it open
    datasets = dict(_walk(file, seen={}))
    _check_sizes(datasets, len(content))
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        return _legacy(root, datasets), None
    tensors = {}
    for path, dataset in datasets.items():
        if not _SKIPPED & set(path.split("/")):
            name = _readable(file, path)
            require(name not in tensors, f"holds {name} twice.")
            tensors[name] = _stored(dataset)
    model = _text(file["vars"], "name") if "vars" in file else None
    return tensors, model


def _walk(group, seen, path="", depth=0):
    """(path, dataset) of what lies in the file itself, each once."""
    require(depth < 32, "its groups lie too deep.")
    for name in group:
        link = group.get(name, getlink=True)
        where = f"{path}/{name}".lstrip("/")
        require(
            isinstance(link, h5py.HardLink), f"{where} is a link elsewhere."
        )
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        require(
            address not in seen,
            f"{where} is {seen.get(address)} under another name: its groups "
            "go in circles, or share what they hold.",
        )
        seen[address] = where
        require(
            len(seen) <= _MAX_OBJECTS,
            f"holds more than {_MAX_OBJECTS} objects: not a ResNet.",
        )
        if isinstance(item, h5py.Group):
            yield from _walk(item, seen, where, depth + 1)
            continue
        require(
            isinstance(item, h5py.Dataset)
            and not item.is_virtual
            and not item.external,
            f"{where} is not a plain dataset.",
        )
        yield where, item


def _check_sizes(datasets, room):
    """Refuses arrays that the file does not store in full, uncompressed."""
    size = sum(int(dataset.nbytes) for dataset in datasets.values())
    require(size <= room, f"unpacks to {size} bytes, and holds {room}.")
    for path, dataset in datasets.items():
        require(
            dataset.id.get_create_plist().get_nfilters() == 0,
            f"{path} is compressed, which Keras does not do: a chunk can "
            "unpack to any size. Write it without.",
        )
        chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
        require(chunk <= room, f"{path} has a chunk of {chunk} bytes.")
        held = dataset.id.get_storage_size()
        require(
            held >= dataset.nbytes,
            f"{path} holds {held} bytes of {dataset.nbytes}.",
        )


def _readable(file, path):
    """`stem/conv1/kernel` from `layers/chain/layers/conv2d/vars/0`.

    Groups are named by class and order. Names of layers are attributes.
    """
    *groups, last, index = path.split("/")
    require(last == "vars" and index.isdecimal(), f"{path} is not a variable.")
    names = []
    for end in range(1, len(groups) + 1):
        variables = file.get("/".join([*groups[:end], "vars"]))
        name = None if variables is None else _text(variables, "name")
        names += [] if name is None else [name]
    kind = groups[-1].rstrip("0123456789").rstrip("_") if groups else ""
    kind = kind if kind in _VARIABLES else ""
    variables = dict(enumerate(_VARIABLES[kind]))
    return "/".join([*names, variables.get(int(index), index)])


def _legacy(root, datasets):
    """Weights of an .h5 of Keras 1 and 2: LAYER/WEIGHT is their place.

    Its lists of names repeat this and are not read: a short list can name one
    long text many times.
    """
    tensors, prefix = {}, root.name.strip("/")
    for path, dataset in datasets.items():
        if path.startswith(prefix):
            place = path.removeprefix(prefix).strip("/")
            name = place.partition("/")[2].split(":")[0]
            require(name not in tensors, f"holds {name} twice.")
            tensors[name] = _stored(dataset)
    return tensors


def _text(item, name):
    """An attribute that is one short text, or None."""
    if name not in item.attrs:
        return None
    attribute = item.attrs.get_id(name)
    value = b""
    if attribute.shape == () and attribute.get_storage_size() <= _MAX_TEXT:
        value = item.attrs[name]
    require(
        isinstance(value, (str, bytes)) and 0 < len(value) <= _MAX_TEXT,
        f"the attribute {name} of {item.name} is no short text.",
    )
    return value.decode() if isinstance(value, bytes) else value


def _stored(dataset):
    bfloat16 = _text(dataset, "dtype") == "bfloat16"
    return Stored(
        shape=dataset.shape,
        dtype="bfloat16" if bfloat16 else dataset.dtype.name,
        load=functools.partial(_widened if bfloat16 else _array, dataset),
    )


def _array(dataset):
    return dataset[()]


def _widened(dataset):
    halves = np.frombuffer(dataset[()].tobytes(), "uint16")
    return widened(halves).reshape(dataset.shape)
