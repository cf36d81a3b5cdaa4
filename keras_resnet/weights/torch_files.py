"""Files that `torch.save` wrote, read without PyTorch.

Every tensor's place, shape and strides are checked against the bytes that the
file has for it before any is read. Tensors are read in place.
"""

import collections
import functools
import io
import re
import struct
import zipfile
import zlib

from keras_resnet.errors import require
from keras_resnet.weights import torch_tensors
from keras_resnet.weights.pickles import Named
from keras_resnet.weights.torch_tensors import Tensor
from keras_resnet.weights.torch_tensors import unpickled

CONVERSION = (
    "PyTorch is needed. Where it is, convert the file with: "
    'python -c "import torch, safetensors.torch as s; s.save_file({k: '
    "v.contiguous() for k, v in torch.load('x.pth', map_location='cpu', "
    "weights_only=True).items()}, 'x.safetensors')\""
)
_MAGIC = 0x1950A86A20F9469CFC6C  # of the files before they were zips
_VERSION = 1001
_MAX_PICKLE = 2**26  # bytes, without the tensors
_MAX_NAME = 1_000  # characters, with the names of the dictionaries around it
_MAX_ENTRIES = 100_000  # tensors, objects and dictionaries


def read(content):
    """The tensors of a file of PyTorch, a zip or of the older kind.

    Names of nested dictionaries stand before their tensors' names:
    "state_dict.conv1.weight".

    Args:
        content: bytes.

    Returns:
        ({name: `Stored`}, {name: class of an object that was not built}).

    Raises:
        keras_resnet.UsageError: if it is of another kind, names what could run
            code, or claims more than it holds.
    """
    find = _zip if content.startswith(b"PK") else _before_zips
    state, places, order = find(content)
    require(
        isinstance(state, dict),
        f"holds {_kind(state)}, not a state_dict of tensors. Save "
        "model.state_dict().",
    )
    tensors, objects = _flat(state)
    require(
        tensors,
        "holds no tensors by names, but "
        f"{', '.join(sorted(set(objects.values()))[:3]) or 'other values'}. "
        f"Save model.state_dict(). {CONVERSION if objects else ''}".rstrip(),
    )
    stored = {
        name: torch_tensors.stored(name, tensor, places, order)
        for name, tensor in tensors.items()
    }
    return stored, objects


def _kind(value):
    if isinstance(value, Named):
        return f"an object of {value.name}, which takes that code to be read"
    return type(value).__name__.lstrip("_").lower()


# The containers: (state dict, {key of a storage: its bytes}, byte order).


def _zip(content):
    members = _members(content)
    (name,) = (n for n in members if re.fullmatch(r"[^/]*/data\.pkl", n))
    root = name.removesuffix("data.pkl")
    require(
        f"{root}constants.pkl" not in members,
        "holds TorchScript, which is a program. Save model.state_dict().",
    )
    require(members[name].file_size <= _MAX_PICKLE, "its pickle is too large.")
    order = members.get(f"{root}byteorder")
    big = order is not None and bytes(_bytes(content, order)) == b"big"
    storages = f"{root}data/"
    places = {
        n.removeprefix(storages): (
            member.file_size,
            functools.cache(functools.partial(_bytes, content, member)),
        )
        for n, member in members.items()
        if n.startswith(storages)
    }
    state = unpickled(io.BytesIO(_bytes(content, members[name])))
    return state, places, ">" if big else "<"


def _members(content):
    """{name: ZipInfo} of a zip whose members are not compressed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    require(
        all(m.compress_type == zipfile.ZIP_STORED for m in members)
        and sum(m.file_size for m in members) <= len(content),
        "unpacks to more than it holds. PyTorch does not compress.",
    )
    names = {member.filename: member for member in members}
    require(len(names) == len(members), "holds two members of one name.")
    return names


def _bytes(content, member):
    """A member's bytes, in place, after a check of their checksum."""
    at = member.header_offset
    name, extra = struct.unpack_from("<26x2H", content, at)
    start = at + 30 + name + extra
    found = memoryview(content)[start : start + member.file_size]
    require(
        len(found) == member.file_size and zlib.crc32(found) == member.CRC,
        f"{member.filename[:100]} is damaged: its checksum is another one. "
        "Get or write the file again.",
    )
    return found


def _before_zips(content):
    """Reads number, version, system, state dict, storage keys and storages."""
    stream = io.BytesIO(memoryview(content)[:_MAX_PICKLE])
    require(
        unpickled(stream) == _MAGIC and unpickled(stream) == _VERSION,
        "is a pickle that torch.save did not write. Save model.state_dict() "
        "with it.",
    )
    unpickled(stream)
    storages = {}
    state, keys = unpickled(stream, storages), unpickled(stream)
    places, at = {}, stream.tell()
    for key in keys:
        require(
            key in storages,
            f"holds numbers of a type that no weight has. {CONVERSION}",
        )
        # Its count of numbers, then the numbers, always little endian.
        (count,) = struct.unpack_from("<q", content, at)
        size = storages[key].nbytes
        require(count == storages[key].count, f"storage {key} is damaged.")
        found = memoryview(content)[at + 8 : at + 8 + size]
        places[key] = len(found), lambda found=found: found
        at += 8 + size
    require(at <= len(content), "is cut short. Get or write it again.")
    return state, places, "<"


def _flat(state):
    """({name: `Tensor`}, {name: class}) of nested dictionaries.

    Keys that are no text are an optimizer's.
    """
    tensors, objects, seen = {}, {}, {id(state)}
    waiting = collections.deque([("", state)])
    while waiting:
        prefix, table = waiting.popleft()
        for key, value in table.items():
            if not isinstance(key, str):
                continue
            name = f"{prefix}{key}"
            require(len(name) <= _MAX_NAME, f"{name[:80]}... is no name.")
            require(
                name not in tensors and name not in objects,
                f"holds {name} twice.",
            )
            if isinstance(value, Tensor):
                tensors[name] = value
            elif isinstance(value, Named):
                objects[name] = value.name
            elif type(value) is dict and id(value) not in seen:
                seen.add(id(value))
                waiting.append((f"{name}.", value))
            require(
                len(tensors) + len(objects) + len(seen) <= _MAX_ENTRIES,
                f"holds more than {_MAX_ENTRIES} tensors: not a ResNet.",
            )
    return tensors, objects
