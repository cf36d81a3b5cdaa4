"""State dicts of PyTorch, looked at before they are converted.

No pickle is loaded but by PyTorch's own restricted reader, and of what that
allows only what a state dict needs: the rest can take all memory.
"""

import functools
import io
import pickletools
import re
import zipfile

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.weights.stored import Stored

# Earlier versions run code or corrupt memory: CVE-2025-32434, CVE-2026-24747.
_TORCH = (2, 10)
_CONVERSION = (
    'python -c "import torch, safetensors.torch as s; s.save_file({k: '
    "v.contiguous() for k, v in torch.load('x.pth', map_location='cpu', "
    "weights_only=True).items()}, 'x.safetensors')\""
)
# What the pickle of a state dict may name.
_GLOBALS = re.compile(
    r"collections OrderedDict|__builtin__ set|builtins set|torch Size|"
    r"torch device|torch \w+Storage|torch (b?float|u?int)\d+|"
    r"torch\._utils _rebuild_(tensor_v2|parameter)"
)
# Before the storages of a file that is no zip: number, version, system, state
# dict and names of the storages.
_PICKLES = 5


def read(content):
    """The tensors of a file that `torch.save` wrote.

    Args:
        content: bytes.

    Returns:
        {name: `Stored`}.

    Raises:
        keras_resnet.UsageError: if it holds anything else, or claims more than
            it holds, or PyTorch is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            "is a pickle, which can run code when it is read, and PyTorch, "
            "whose restricted reader refuses that, is not installed. Where it "
            f"is, convert the file with: {_CONVERSION}"
        ) from error
    _check_globals(content)
    state = _safely_unpickled(content, torch)
    for key in ("state_dict", "model"):  # training scripts wrap it
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    require(
        isinstance(state, dict)
        and all(isinstance(name, str) for name in state)
        and all(isinstance(v, torch.Tensor) for v in state.values()),
        f"holds {type(state).__name__}, not a state_dict of tensors. Save "
        "model.state_dict().",
    )
    for name, tensor in state.items():
        _check_size(name, tensor)
    return {name: _stored(tensor) for name, tensor in state.items()}


def _check_globals(content):
    """Refuses a pickle that names more than tensors need."""
    found = {
        str(argument)
        for pickle in _pickles(content)
        for op, argument, _ in pickletools.genops(pickle)
        if op.name in ("GLOBAL", "STACK_GLOBAL", "INST")
    }
    others = sorted(name for name in found if not _GLOBALS.fullmatch(name))
    require(
        not others,
        f"holds more than tensors, {', '.join(others[:3])}, which could run "
        "code or take all memory. Save the model's state_dict() alone.",
    )


def _pickles(content):
    """Files, each at the beginning of a pickle."""
    if not content.startswith(b"PK"):
        stream = io.BytesIO(content)
        for _ in range(_PICKLES):
            if stream.tell() < len(content):
                yield stream
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        require(
            all(m.compress_type == zipfile.ZIP_STORED for m in members)
            and sum(m.file_size for m in members) <= len(content),
            "unpacks to more than it holds. PyTorch does not compress.",
        )
        for member in members:
            if member.filename.endswith(".pkl"):
                yield io.BytesIO(archive.read(member))


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


def _check_size(name, tensor):
    """Refuses a tensor of more numbers than the file has for it."""
    size = tensor.numel() * tensor.element_size()
    held = tensor.untyped_storage().nbytes()
    require(
        size <= held,
        f"{name} claims {size} bytes, {tuple(tensor.shape)}, and holds "
        f"{held}: a view. Save tensor.contiguous().",
    )


def _stored(tensor):
    return Stored(
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        load=functools.partial(_array, tensor),
    )


def _array(tensor):
    tensor = tensor.detach()
    # NumPy has no bfloat16; float32 holds all of its values.
    bfloat16 = str(tensor.dtype) == "torch.bfloat16"
    return (tensor.float() if bfloat16 else tensor).numpy()
