"""Files of weights: all of the file's or, after a refusal, none."""

import io
import json
import pathlib
import zipfile

from soaking import mutations
from soaking import small
from soaking.verdict import check


def make(folder):
    """One file of each format that is written."""
    import keras_resnet

    net = small.model()
    net.save_weights(folder / "net.weights.h5")
    net.save(folder / "net.keras")
    keras_resnet.save_weights(
        net, folder / "net.safetensors", layout="keras_resnet"
    )


class Corpus:
    """The files, a network to load them into, and where its values lie.

    Which tensor of a file is which variable is learnt from the values of the
    whole files, which all differ: not from the names that the library reads.
    """

    def __init__(self, folder):
        self.files = {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
        self.net = small.model()
        self.written = held = _values(self.net)
        self.places = {
            name: _places(held, tensors(data))
            for name, data in self.files.items()
        }
        for variable in self.net.variables:
            variable.assign(_array(variable) * 0 + 0.25)
        self.before = _values(self.net)


def load(folder):
    """The `Corpus` of a folder."""
    return Corpus(folder)


def mutate(corpus, rng):
    """{"name", "data", "what"} of one case."""
    name, data = rng.choice(list(corpus.files.items()))
    if name.endswith(".keras") and rng.random() < 0.5:
        data, how = _mutated_member(data, rng)
    elif name.endswith(".safetensors") and rng.random() < 0.5:
        data, how = _mutated_header(data, rng)
    else:
        data, how = mutations.mutated(data, rng)
    return {"name": name, "data": data, "what": f"{how} of {name}"}


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
    text, how = mutations.mutated_json(data[8 : 8 + size].decode(), rng)
    header = text.encode("utf-8", "surrogateescape")
    data = len(header).to_bytes(8, "little") + header + data[8 + size :]
    return data, f"header: {how}"


def judge(corpus, case, folder):
    """Loads it, and reads the same file anew without the library."""
    import numpy as np

    from keras_resnet.errors import UsageError
    from keras_resnet.weights import loading

    path = pathlib.Path(folder, case["name"])
    path.write_bytes(case["data"])
    try:
        loading.load_weights(corpus.net, path)
    except UsageError:
        changed = _changed(corpus)
        check(not changed, f"refused, and yet assigned: {changed[:3]}")
        raise
    try:
        places = corpus.places[case["name"]]
        after = _values(corpus.net)
        there = tensors(case["data"], set(places.values()))
        for path, name in places.items():
            # A changed name leaves what was written where it was.
            value = there.get(name)
            value = corpus.written[path] if value is None else value
            same = np.array_equal(
                after[path].ravel(), value.astype("f4").ravel()
            )
            check(same, f"{path} is not {name} of the file")
    finally:
        for variable in corpus.net.variables:
            variable.assign(corpus.before[variable.path])


def _changed(corpus):
    after = _values(corpus.net)
    return [p for p, v in corpus.before.items() if (after[p] != v).any()]


def _values(net):
    return {v.path: _array(v) for v in net.variables}


def _array(variable):
    import numpy as np

    return np.array(variable)


def _places(held, there):
    """{path of a variable: name of the tensor with its values}."""
    return {
        path: next(
            name
            for name, tensor in there.items()
            if tensor.size == array.size
            and (tensor.ravel() == array.ravel()).all()
        )
        for path, array in held.items()
    }


def tensors(data, names=None):
    """{name: array} of a file of weights, read by h5py or by hand.

    Args:
        data: bytes of the file.
        names: which to read; None for all.
    """
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("model.weights.h5")
    if data[:4] == b"\x89HDF":
        return _hdf5(data, names)
    return _safetensors(data)


def _hdf5(data, names):
    import h5py

    with h5py.File(io.BytesIO(data)) as file:
        if names is not None:
            return {n: _read(file, n) for n in names}
        found = {}

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        file.visititems(visit)
        return found


def _read(file, name):
    try:
        return file[name][()]
    except KeyError:
        return None


def _safetensors(data):
    import numpy as np

    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    found = {}
    for name, row in header.items():
        if name != "__metadata__":
            start, end = (8 + size + at for at in row["data_offsets"])
            array = np.frombuffer(data[start:end], types[row["dtype"]])
            found[name] = array.reshape(row["shape"])
    return found
