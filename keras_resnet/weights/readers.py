"""Files of weights as named arrays, whatever their format.

The format is read from the content, never from the name. Nothing here runs code
of a file. Names, shapes and the bytes that a file has for them are known before
an array is read.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.weights import hdf5
from keras_resnet.weights import safetensors_files
from keras_resnet.weights import torch_files
from keras_resnet.weights.stored import DAMAGE
from keras_resnet.weights.stored import Stored

# In a zip. ResNet-1202 and the state of its optimizer are 25,000 tensors.
_MAX_MEMBERS = 100_000
# ResNet-1001 and -200 in float32 take 42 and 260 MB; what claims more than
# this is a bomb or another kind of file.
MAX_BYTES = 2**31
_MEMBER = "model.weights.h5"  # of a .keras file, which is a zip
# Preset of KerasHub: the backbone and, beside it, the classifier.
_PRESET = (_MEMBER, "task.weights.h5")
# The weights in a .keras file may unpack to this many times their size: floats
# hardly shrink.
_RATIO = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """What a file holds.

    Names are `layer/variable` in Keras' formats, `module.parameter` in
    PyTorch's. `objects` are what a pickle has beside its tensors, each with
    the name of its class: nothing of them was read.
    """

    tensors: dict[str, Stored]
    objects: dict[str, str] = dataclasses.field(default_factory=dict)
    model_name: str | None = None  # of the Keras model that was saved
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


def read(source, sha256=None):
    """Reads a file of weights, or a folder with a preset of KerasHub.

    Args:
        source: path.
        sha256: hex digest that the file must have, or None.

    Returns:
        `WeightsFile`.

    Raises:
        keras_resnet.UsageError: if there is no such file, its digest or its
            format is wrong, or it is damaged.
    """
    path = pathlib.Path(source)
    if path.is_dir() and (path / _MEMBER).is_file():
        require(
            sha256 is None,
            "sha256 is of one file. Pass the preset's "
            f"{_MEMBER} instead of its folder. Received: {str(path)!r}.",
        )
        return _preset(path)
    _check_file(path)
    with _explained(path), path.open("rb") as file:
        reader = _reader(file.read(16))
    content = _content(path, sha256)
    with _explained(path):
        return reader(content)


def _check_file(path):
    require(
        path.is_file(),
        f"There is no weights file {str(path)!r}. Expected the path of a "
        ".weights.h5, .keras, .h5, .safetensors or .pth file. Received: "
        f"{str(path)!r}.",
    )
    require(
        path.stat().st_size <= MAX_BYTES,
        f"{str(path)!r} is larger than {MAX_BYTES} bytes: not a ResNet.",
    )


def _content(path, sha256):
    content = path.read_bytes()
    if sha256 is not None:
        digest = hashlib.sha256(content).hexdigest()
        require(
            digest == str(sha256).lower(),
            f"{str(path)!r} is not the file that was meant: its sha256 is "
            f"{digest}, expected {sha256}. Get it again.",
        )
    return content


def _preset(path):
    parts = [read(path / name) for name in _PRESET if (path / name).is_file()]
    tensors = {}
    for part in parts:
        both = sorted(tensors.keys() & part.tensors.keys())
        require(not both, f"{str(path)!r} holds {both[:3]} twice.")
        tensors.update(part.tensors)
    return WeightsFile(tensors=tensors)


@contextlib.contextmanager
def _explained(path):
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    except DAMAGE as error:
        raise UsageError(
            f"{str(path)!r} is damaged or another kind of file: "
            f"{repr(error)[:300]}. "
            "Get or write it again."
        ) from error


def _reader(content):
    """The function that reads content with this beginning."""
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_hdf5
    if content.startswith(b"PK"):
        return _read_zip
    # The length of a header, below 4 GB, then the header, which is JSON. This
    # is tried before pickles: the length can begin like one.
    if content[4:9] == b"\0\0\0\0{":
        return _read_safetensors
    if content.startswith(b"\x80"):
        return _read_torch
    raise UsageError(
        "the content is none of HDF5 (.weights.h5, .h5), .keras, safetensors "
        "and PyTorch (.pth), or damaged. SavedModel, TFLite and ONNX files are "
        f"exports, not sources. Received: a file that begins {content[:8]!r}."
    )


def _read_hdf5(content):
    tensors, model_name = hdf5.read(content)
    return WeightsFile(tensors=_flat(tensors), model_name=model_name)


def _flat(tensors):
    """Drops the name of the backbone inside a classifier of KerasHub."""
    stem = "conv1_conv/kernel"
    inside = [name for name in tensors if name.endswith(f"/{stem}")]
    prefix = inside[0].removesuffix(stem) if len(inside) == 1 else ""
    flat = {name.removeprefix(prefix): v for name, v in tensors.items()}
    require(len(flat) == len(tensors), f"holds names with and without {prefix}")
    return flat


def _read_zip(content):
    # Each member has this signature, and takes more memory than in the file.
    require(
        content.count(b"PK\1\2") <= _MAX_MEMBERS,
        f"a zip of more than {_MAX_MEMBERS} members: not a ResNet.",
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.namelist()
        if _MEMBER not in members:
            require(
                any(name.endswith("/data.pkl") for name in members),
                f"a zip with neither {_MEMBER} (.keras) nor data.pkl (.pth).",
            )
            return _read_torch(content)
        file = _read_hdf5(_unpacked(archive, _MEMBER))
        return dataclasses.replace(file, metadata={"head": _head(archive)})


def _head(archive):
    """The activation of the classifier in a .keras file; "" if unknown."""
    try:
        config = json.loads(_unpacked(archive, "config.json"))
        layers = config["config"]["layers"]
        (head,) = [e["config"] for e in layers if e["name"] == "probabilities"]
        return str(head["activation"])
    except (KeyError, TypeError, ValueError):
        return ""


def _unpacked(archive, name):
    member = archive.getinfo(name)
    size, method = member.file_size, member.compress_type
    require(
        method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
        f"{name} is neither stored nor deflated. Save the model again.",
    )
    require(
        size <= min(MAX_BYTES, _RATIO * member.compress_size),
        f"{name} unpacks to {size} bytes: not a ResNet.",
    )
    with archive.open(member) as file:
        # Without a size it would unpack more than stated, and only then fail.
        return file.read(size)


def _read_safetensors(content):
    tensors, metadata = safetensors_files.read(content)
    return WeightsFile(tensors=tensors, metadata=metadata)


def _read_torch(content):
    tensors, objects = torch_files.read(content)
    return WeightsFile(tensors=tensors, objects=objects)
