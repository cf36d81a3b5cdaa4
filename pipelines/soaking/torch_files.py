"""A file as `torch.save` writes it, without PyTorch, and hostile twins of it.

A pickle names each tensor, its shape, its strides and the storage with its
numbers. A zip holds the pickle and the storages.
"""

import io
import pickle
import zipfile

# How many numbers a twin claims to have, at 4 bytes each; none is there.
_CLAIMED = (10**6, 2**31, 4 * 10**9, 2**62)
_PROGRAMS = ("os.system", "builtins.eval", "builtins.bytearray")


def write(path, arrays):
    """Writes {name: float32 array} as a state dict."""
    rows = [_row(*row) for row in enumerate(arrays.items())]
    storages = [array.tobytes() for array in arrays.values()]
    path.write_bytes(_zip(_state(rows), storages))


def _row(key, tensor):
    """What the pickle says of a tensor."""
    name, array = tensor
    strides = tuple(step // array.itemsize for step in array.strides)
    shape = array.shape
    row = {"name": name, "key": str(key), "count": array.size}
    return {**row, "shape": shape, "strides": strides}


def hostile(arrays, rng):
    """(bytes of a file that must be refused, what is wrong with it)."""
    rows = [_row(*row) for row in enumerate(arrays.items())]
    storages = [array.tobytes() for array in arrays.values()]
    row, number = rng.choice(rows), rng.choice(_CLAIMED)
    change = rng.choice((*_CHANGES, _short_storage, _program, _cut))
    if change in _CHANGES:
        row.update(_CHANGES[change](row, number))
        return _zip(_state(rows), storages), f"{change} of {number}"
    return change(rows, storages, rng), change.__name__.strip("_")


# {what is wrong: (row, number) -> what its pickle says instead}.
_CHANGES = {
    "a view": lambda row, number: {
        "shape": (number,),
        "strides": (0,),
    },
    "a shape": lambda row, number: {"shape": (number, *row["shape"][1:])},
    "a storage": lambda row, number: {"count": number},
    "strides": lambda row, number: {
        "strides": (number,) * len(row["shape"]),
        "shape": tuple(size + 1 for size in row["shape"]),
    },
    "no storage": lambda row, number: {"key": str(number)},
}


def _short_storage(rows, storages, rng):
    place = rng.randrange(len(storages))
    storages[place] = storages[place][: -rng.choice((1, 4))]
    return _zip(_state(rows), storages)


def _program(rows, storages, rng):
    module, name = rng.choice(_PROGRAMS).rsplit(".", 1)
    call = f"c{module}\n{name}\n".encode() + _value("x") + b"\x85R"
    return _zip(_state(rows, _value("x") + call), storages)


def _cut(rows, storages, rng):
    state = _state(rows)
    return _zip(state[: rng.randrange(len(state) - 1)], storages)


def _value(value):
    """A value's operations, without those that begin and end a pickle."""
    return pickle.dumps(value, 2)[2:-1]


def _state(rows, more=b""):
    """The pickle of a state dict."""
    items = b"".join(_value(row["name"]) + _tensor(row) for row in rows)
    return b"\x80\x02}(" + items + more + b"u."


def _tensor(row):
    """A call that builds a tensor from a storage, given by persistent id."""
    storage = b"".join(
        (_value("storage"), b"ctorch\nFloatStorage\n", _value(row["key"]))
    )
    storage = b"(" + storage + _value("cpu") + _value(row["count"]) + b"tQ"
    return b"".join(
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n(",
            storage + _value(0),
            _value(row["shape"]) + _value(row["strides"]) + _value(False),
            b"ccollections\nOrderedDict\n)RtR",
        )
    )


def _zip(pickled, storages):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("net/data.pkl", pickled)
        for key, storage in enumerate(storages):
            archive.writestr(f"net/data/{key}", storage)
        archive.writestr("net/version", "3\n")
    return out.getvalue()
