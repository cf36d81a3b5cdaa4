"""Files of weights: all are loaded or, after a refusal, none."""

import io
import json
import zipfile

from soaking import mutations
from soaking import torch_files
from soaking import whole
from soaking.verdict import check


def make(folder):
    """One file of each format that is written."""
    import keras_resnet

    net = whole.network()
    net.save_weights(folder / "net.weights.h5")
    net.save(folder / "net.keras")
    path = folder / "net.safetensors"
    keras_resnet.save_weights(net, path, layout="keras_resnet")
    torch_files.write(folder / "net.pth", _values(net))


class Corpus:
    """The files, a network to load them into, and where its values lie.

    The values of the whole files, which all differ, tell which tensor of a
    file is which variable: not the names, which the library reads.
    """

    def __init__(self, folder):
        self.files = whole.read(folder)
        self.net = whole.network()
        self.written = _values(self.net)
        self.places = {
            name: _places(self.written, tensors(data) or self.written)
            for name, data in self.files.items()
        }
        self.before = {p: v * 0 + 0.25 for p, v in self.written.items()}
        self.reset()

    def reset(self):
        """Gives the network other values than those of the files."""
        for variable in self.net.variables:
            variable.assign(self.before[variable.path])


load = Corpus


def _values(net):
    import numpy as np

    return {v.path: np.array(v) for v in net.variables}


def _places(held, there):
    """{path of a variable: name of the tensor with its values}."""
    names = {tensor.tobytes(): name for name, tensor in there.items()}
    return {path: names[array.tobytes()] for path, array in held.items()}


def mutate(corpus, rng):
    """{"files", "what"}: one file, changed anywhere or in its structure."""
    name = rng.choice(list(corpus.files))
    if name == "net.pth" and rng.random() < 0.5:
        data, how = torch_files.hostile(corpus.written, rng)
        return {"files": {"hostile.pth": data}, "what": f"{how} in {name}"}
    inner = {"net.keras": _mutated_member, "net.safetensors": _mutated_header}
    change = rng.choice((mutations.mutated, inner.get(name, mutations.mutated)))
    data, how = change(corpus.files[name], rng)
    return {"files": {name: data}, "what": f"{how} of {name}"}


def _mutated_member(data, rng):
    """A member of the zip changes, and its checksum with it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    name = rng.choice([*members, *["model.weights.h5"] * 3])
    members[name], how = mutations.mutated(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue(), f"{how} in {name}"


def _mutated_header(data, rng):
    size = int.from_bytes(data[:8], "little")
    header, how = mutations.mutated_json(data[8 : 8 + size], rng)
    data = len(header).to_bytes(8, "little") + header + data[8 + size :]
    return data, f"header: {how}"


def judge(corpus, case, folder):
    """Loads it, and reads the same file anew without the library."""
    from keras_resnet.errors import UsageError
    from keras_resnet.weights import loading

    ((name, data),) = case["files"].items()
    try:
        loading.load_weights(corpus.net, folder / name)
        check(name in corpus.places, "a hostile file is taken")
        _compare(corpus, corpus.places[name], data)
    except UsageError:
        after, before = _values(corpus.net), corpus.before
        changed = [p for p in before if (after[p] != before[p]).any()]
        check(not changed, f"refused, and yet assigned: {changed[:3]}")
        raise
    finally:
        corpus.reset()


def _compare(corpus, places, data):
    import numpy as np

    after, there = _values(corpus.net), tensors(data, set(places.values()))
    for path, tensor in places.items():
        # A changed name leaves what was written where it was.
        value = there.get(tensor, corpus.written[path])
        same = np.array_equal(after[path].ravel(), value.astype("f4").ravel())
        check(same, f"{path} is not {tensor} of the file")


def tensors(data, names=None):
    """{name: array} of a file of weights, read by h5py or by hand.

    Args:
        data: bytes of the file.
        names: which to read of HDF5; None for all.

    Returns:
        {} for a file of PyTorch: its checksums let no other values pass.
    """
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "model.weights.h5" not in archive.namelist():
                return {}
            data = archive.read("model.weights.h5")
    if data[:4] == b"\x89HDF":
        return _hdf5(data, names)
    return _safetensors(data)


def _hdf5(data, names):
    import h5py

    with h5py.File(io.BytesIO(data)) as file:
        if names is None:
            names = []
            file.visit(names.append)
        found = {name: file.get(name) for name in names}
        return {
            name: item[()]
            for name, item in found.items()
            if isinstance(item, h5py.Dataset)
        }


def _safetensors(data):
    import numpy as np

    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    types, found = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}, {}
    for name, row in header.items():
        start, end = (8 + size + at for at in row["data_offsets"])
        array = np.frombuffer(data[start:end], types[row["dtype"]])
        found[name] = array.reshape(row["shape"])
    return found
