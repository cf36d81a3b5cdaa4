"""Files of weights as named arrays, whatever their format.

The format is read from the content, never from the name. Nothing here runs
what a file says: no configuration is read and no pickle loaded but by
PyTorch's own restricted reader.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile

import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet import hdf5
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

# ResNet-1001 and -200 in float32 take 42 and 260 MB; what claims more than
# this is a bomb or another kind of file.
MAX_BYTES = 2**31
_MEMBER = "model.weights.h5"  # of a .keras file, which is a zip
# Preset of KerasHub: the backbone and, beside it, the classifier.
_PRESET = (_MEMBER, "task.weights.h5")
# Earlier versions run code or corrupt memory: CVE-2025-32434, CVE-2026-24747.
_TORCH = (2, 10)
_CONVERSION = (
    'python -c "import torch, safetensors.torch as s; s.save_file({k: '
    "v.contiguous() for k, v in torch.load('x.pth', map_location='cpu', "
    "weights_only=True).items()}, 'x.safetensors')\""
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """What a file holds.

    Names are `layer/variable` in Keras' formats, `module.parameter` in
    PyTorch's.
    """

    tensors: dict[str, np.ndarray]
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
            format is another one, or it is damaged.
    """
    path = pathlib.Path(source)
    if path.is_dir() and (path / _MEMBER).is_file():
        require(
            sha256 is None,
            "sha256 is of one file. Pass the preset's "
            f"{_MEMBER} instead of its folder. Received: {str(path)!r}.",
        )
        return _preset(path)
    return _parse(path, _content(path, sha256))


def _content(path, sha256):
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
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    require(
        sha256 is None or digest == str(sha256).lower(),
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


def _parse(path, content):
    try:
        return _reader(content)(content)
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    except (
        *(ValueError, OSError, KeyError, TypeError, RuntimeError, EOFError),
        *(AttributeError, zipfile.BadZipFile, safetensors.SafetensorError),
    ) as error:
        raise UsageError(
            f"{str(path)!r} is damaged or another kind of file: {error!r}. "
            "Get or write it again."
        ) from error


def _reader(content):
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_hdf5
    if content.startswith(b"PK"):
        return _read_zip
    # The length of a header below 4 GB, and the header, which is JSON. It is
    # asked first: the length can begin like a pickle.
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
    tensors, model_name = hdf5.read(content, MAX_BYTES)
    return WeightsFile(tensors=_flat(tensors), model_name=model_name)


def _flat(tensors):
    """Without the name of the backbone inside a classifier of KerasHub."""
    stem = "conv1_conv/kernel"
    inside = [name for name in tensors if name.endswith(f"/{stem}")]
    prefix = inside[0].removesuffix(stem) if len(inside) == 1 else ""
    flat = {name.removeprefix(prefix): v for name, v in tensors.items()}
    require(len(flat) == len(tensors), f"holds names with and without {prefix}")
    return flat


def _read_zip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.namelist()
        if _MEMBER not in members:
            require(
                any(name.endswith("/data.pkl") for name in members),
                f"a zip with neither {_MEMBER} (.keras) nor data.pkl (.pth).",
            )
            return _read_torch(content)
        size = archive.getinfo(_MEMBER).file_size
        require(size <= MAX_BYTES, f"unpacks to {size} bytes: not a ResNet.")
        return _read_hdf5(archive.read(_MEMBER))


def _read_safetensors(content):
    try:
        tensors = safetensors.numpy.load(content)
    except KeyError as error:
        raise UsageError(
            f"holds numbers of type {error}, which NumPy lacks. Convert them "
            "to float32."
        ) from error
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return WeightsFile(
        tensors=_bare(tensors), metadata=header.get("__metadata__", {})
    )


def _read_torch(content):
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            "is a pickle, which can run code when it is read, and PyTorch, "
            "whose restricted reader refuses that, is not installed. Where it "
            f"is, convert the file with: {_CONVERSION}"
        ) from error
    state = _safely_unpickled(content, torch)
    for key in ("state_dict", "model"):  # training scripts wrap it
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    require(
        isinstance(state, dict)
        and all(isinstance(v, torch.Tensor) for v in state.values()),
        f"holds {type(state).__name__}, not a state_dict of tensors. Save "
        "model.state_dict().",
    )
    return WeightsFile(
        tensors=_bare({k: _from_torch(v, torch) for k, v in state.items()})
    )


def _safely_unpickled(content, torch):
    version = tuple(int(n) for n in torch.__version__.split(".")[:2])
    require(
        version >= _TORCH,
        f"reading pickles safely needs PyTorch {_TORCH[0]}.{_TORCH[1]}. "
        f"Received: {torch.__version__}. Upgrade it.",
    )
    try:
        return torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
    # It has an exception for every kind of damage.
    except Exception as error:
        raise UsageError(
            "PyTorch's weights_only reader refuses it: it is damaged or holds "
            "more than tensors, which could run code. Save the model's "
            f"state_dict() alone. It said: {str(error)[:300]}"
        ) from error


def _from_torch(tensor, torch):
    tensor = tensor.detach()
    # NumPy has no bfloat16; float32 holds all of its values.
    return (
        tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    ).numpy()


def _bare(tensors):
    """Without the prefix that `torch.nn.DataParallel` puts before names."""
    if not all(name.startswith("module.") for name in tensors):
        return tensors
    return {name.removeprefix("module."): v for name, v in tensors.items()}
