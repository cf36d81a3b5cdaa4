"""Weights in HDF5, as Keras 3 and the Keras before it write them."""

import io

import h5py
import numpy as np

from keras_resnet.errors import require

# The variables of a Keras layer in the order in which it writes them.
_VARIABLES = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "pixel_normalization": ("mean", "std"),
    "": ("kernel", "bias"),
}
_SKIPPED = {"optimizer", "seed_generator"}  # state of training, not weights


def read(content, max_bytes):
    """Reads what `save_weights` of any Keras wrote.

    Args:
        content: bytes of the file.
        max_bytes: of all arrays; a small file can claim more.

    Returns:
        ({"layer/variable": array}, name of the model or None).

    Raises:
        keras_resnet.UsageError: if it holds anything but plain datasets.
    """
    with h5py.File(io.BytesIO(content)) as file:
        datasets = dict(_walk(file))
        size = sum(int(d.nbytes) for d in datasets.values())
        require(size <= max_bytes, f"unpacks to {size} bytes: not a ResNet.")
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs:
            return _legacy(root, datasets), None
        tensors = {}
        for path, dataset in datasets.items():
            if not _SKIPPED & set(path.split("/")):
                name = _readable(file, path)
                require(name not in tensors, f"holds {name} twice.")
                tensors[name] = _array(dataset)
        model = file["vars"].attrs.get("name") if "vars" in file else None
        return tensors, model


def _walk(group, path="", depth=0):
    """(path, dataset) of what lies in the file itself, nothing linked."""
    require(depth < 32, "its groups go in circles.")
    for name in group:
        link = group.get(name, getlink=True)
        where = f"{path}/{name}".lstrip("/")
        require(
            isinstance(link, h5py.HardLink), f"{where} is a link elsewhere."
        )
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _walk(item, where, depth + 1)
            continue
        require(
            isinstance(item, h5py.Dataset)
            and not item.is_virtual
            and not item.external,
            f"{where} is not a plain dataset.",
        )
        yield where, item


def _readable(file, path):
    """`stem/conv1/kernel` from `layers/chain/layers/conv2d/vars/0`.

    Groups are named by class and order. Names of layers are attributes.
    """
    *groups, last, index = path.split("/")
    require(last == "vars" and index.isdecimal(), f"{path} is not a variable.")
    names = []
    for end in range(1, len(groups) + 1):
        variables = file.get("/".join([*groups[:end], "vars"]))
        name = None if variables is None else variables.attrs.get("name")
        names += [] if name is None else [name]
    kind = groups[-1].rstrip("0123456789").rstrip("_") if groups else ""
    kind = kind if kind in _VARIABLES else ""
    variables = dict(enumerate(_VARIABLES[kind]))
    return "/".join([*names, variables.get(int(index), index)])


def _legacy(root, datasets):
    """Weights of an .h5 of Keras 1 and 2, which names layers and weights."""
    tensors = {}
    for layer in _texts(root.attrs["layer_names"]):
        for name in _texts(root[layer].attrs.get("weight_names", ())):
            tensors[name.split(":")[0]] = _array(root[layer][name])
    prefix = root.name.strip("/")
    found = sum(path.startswith(prefix) for path in datasets)
    require(
        len(tensors) == found,
        f"names {len(tensors)} weights but holds {found} datasets.",
    )
    return tensors


def _texts(values):
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _array(dataset):
    array = dataset[()]
    if dataset.attrs.get("dtype") in ("bfloat16", b"bfloat16"):
        # The upper half of a float32, of which NumPy knows the whole only.
        halves = np.frombuffer(array.tobytes(), "uint16").astype("uint32")
        array = (halves << 16).view("float32").reshape(dataset.shape)
    return array
