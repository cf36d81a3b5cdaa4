"""PyTorch files give what PyTorch's reader gives, and nothing in them runs."""

import collections
import functools
import io
import pathlib
import pickle
import sys
import types
import zipfile

import numpy as np
import peers
import pytest

from keras_resnet import UsageError
from keras_resnet.weights import readers

OLD = {"_use_new_zipfile_serialization": False}


def flat(state, prefix=""):
    """Tensors of nested dictionaries, as the library names them."""
    torch, found = peers.torch_module(), {}
    for key, value in state.items():
        if isinstance(value, dict) and isinstance(key, str):
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, torch.Tensor):
            found[f"{prefix}{key}"] = value.detach()
    return found


def assert_read_as_by_pytorch(path, weights_only=True):
    torch = peers.torch_module()
    theirs = flat(torch.load(path, weights_only=weights_only))
    ours = readers.read(path).tensors
    assert ours.keys() == theirs.keys() and theirs
    for name, tensor in theirs.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        assert (ours[name].shape, ours[name].dtype) == (tensor.shape, dtype)
        widened = tensor.float() if dtype == "bfloat16" else tensor
        array = ours[name].load()
        np.testing.assert_array_equal(array, widened.numpy(), name)
        # Bit for bit, including NaN and the sign of zero.
        array = array.astype(array.dtype.newbyteorder("="))
        assert array.tobytes() == widened.contiguous().numpy().tobytes()


def every_kind():
    """Numbers of every type, and views of every kind."""
    torch = peers.torch_module()
    numbers = torch.arange(-30, 30).reshape(3, 4, 5)
    types = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    types += (torch.int64, torch.int32, torch.int16, torch.int8, torch.bool)
    base = torch.randn(6, 7, 8)
    return {
        **{str(dtype): numbers.to(dtype) for dtype in types},
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "odd": torch.tensor([float("nan"), float("-inf"), -0.0, 1e-45]),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "transposed": base.permute(2, 0, 1),
        "sliced": base[1::2, 2:, ::3],
        "shared": base[3],
        "overlapping": base.flatten().as_strided((5, 4), (2, 1), 3),
        "channels_last": torch.randn(2, 3, 4, 5).to(
            memory_format=torch.channels_last
        ),
        "one_step": torch.randn(4).as_strided((1, 2), (999, 1)),
    }


@pytest.mark.parametrize("old", [{}, OLD], ids=["zip", "before zips"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_type_and_view_is_read_bit_for_bit(protocol, old, tmp_path):
    torch, path = peers.torch_module(), tmp_path / "net.pth"
    state = collections.OrderedDict(every_kind())
    state._metadata = {"": {"version": 1}}  # as Module.state_dict has it
    torch.save(state, path, pickle_protocol=protocol, **old)
    # PyTorch's restricted reader knows only protocol 2.
    assert_read_as_by_pytorch(path, weights_only=protocol == 2)


def test_big_endian_files_are_read(tmp_path):
    torch, path = peers.torch_module(), tmp_path / "net.pth"
    state = {"a": torch.randn(5), "b": torch.randn(5).bfloat16()}
    torch.save(state, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            if name.endswith("byteorder"):
                member = b"big"
            if name.endswith(("/data/0", "/data/1")):
                size = "u4" if name.endswith("0") else "u2"
                member = np.frombuffer(member, size).byteswap().tobytes()
            archive.writestr(name, member)
    assert_read_as_by_pytorch(path)
    np.testing.assert_array_equal(
        readers.read(path).tensors["a"].load(), state["a"]
    )


class Version:
    """A class of some library whose module is missing when it is read."""

    def __init__(self):
        self.parts = [1, "b", {"c": 2.5}]


def checkpoints():
    """What trainers write beside the weights, in their structures.

    The checkpoints are Lightning's, timm's and mmengine's. The message hub of
    mmengine holds histories as NumPy arrays and methods of a class.
    """
    torch = peers.torch_module()
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    state = net.state_dict()
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3, 2, 2)).sum().backward()
    optimizer.step()
    callback = "ModelCheckpoint{'monitor': 'loss', 'mode': 'min'}"
    return {
        "lightning": {
            "epoch": 3,
            "pytorch-lightning_version": "2.5.0",
            "state_dict": state,
            "loops": {"fit_loop": {"state_dict": {}, "progress": (1, None)}},
            "callbacks": {callback: {"best_model_score": torch.tensor(0.1)}},
            "optimizer_states": [optimizer.state_dict()],
            "lr_schedulers": [{"last_epoch": 3, "verbose": False}],
            "hparams_name": "config",
            "hyper_parameters": {
                "model": Version(),
                "root": pathlib.Path("data"),
                "optimizer": functools.partial(torch.optim.SGD, lr=0.1),
                "loss": torch.nn.CrossEntropyLoss(torch.ones(3)),
                "names": {"a", "b"},
                "counts": collections.defaultdict(list, {1: [2**70, -1]}),
                ("a", 2): types.SimpleNamespace(lr=torch.float16),
            },
        },
        "timm": {
            "epoch": 1,
            "arch": "resnet50",
            "state_dict": state,
            "optimizer": optimizer.state_dict(),
            "version": 2,
            "args": types.SimpleNamespace(lr=0.1),
            "amp_scaler": {"scale": 65536.0},
            "state_dict_ema": {k: v + 1 for k, v in state.items()},
            "metric": np.float64(76.1),
        },
        "mmengine": {
            "meta": {
                "cfg": "model = dict()",
                "dataset_meta": {"classes": ("a", "b")},
                "seed": 1,
            },
            "state_dict": state,
            "message_hub": {
                "log_scalars": {"train/lr": np.linspace(0, 1, 9)},
                "method": Version.__init__,
            },
            "optimizer": optimizer.state_dict(),
            "param_schedulers": [{"_step_count": 1, "by_epoch": True}],
        },
    }


@pytest.mark.parametrize("old", [{}, OLD], ids=["zip", "before zips"])
@pytest.mark.parametrize("name", ["lightning", "timm", "mmengine"])
def test_checkpoints_of_trainers_are_read(name, old, tmp_path, monkeypatch):
    torch, path = peers.torch_module(), tmp_path / "last.ckpt"
    saved = checkpoints()[name]
    with monkeypatch.context() as patch:
        module = types.ModuleType("a_library")
        module.Version = Version
        patch.setattr(Version, "__module__", "a_library")
        patch.setitem(sys.modules, "a_library", module)
        torch.save(saved, path, **old)
        assert_read_as_by_pytorch(path, weights_only=False)
    found = readers.read(path)
    assert "state_dict.0.weight" in found.tensors
    assert "a_library" not in sys.modules
    if name == "lightning":
        objects = {k.rpartition(".")[2]: v for k, v in found.objects.items()}
        assert objects["model"] == "a_library.Version"
        assert objects["loss"].endswith("CrossEntropyLoss")


# What is refused. Pickles are written by hand: P is the beginning.

P = b"\x80\x04"
NAMES = [
    "os.system",
    "posix.system",
    "builtins.eval",
    "builtins.exec",
    "__builtin__.eval",
    "subprocess.Popen",
    "runpy.run_path",
    "pickle.loads",
    "importlib.import_module",
    "builtins.bytearray",
    "operator.attrgetter",
    "pathlib.Path.touch",
]


def write_zip(path, pickled, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3\n")
        for name, member in members.items():
            archive.writestr(f"x/{name}", member)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_what_could_run_code_is_named_and_refused_wherever_it_is(
    name, tmp_path
):
    """Also among hyper-parameters, where nothing would be read."""
    module, attribute = name.split(".", 1)
    short = [
        b"\x8c" + bytes([len(text)]) + text.encode()
        for text in (module, attribute)
    ]
    name = name.replace("__builtin__", "builtins")
    for named in (
        f"c{module}\n{attribute}\n".encode(),
        b"".join(short) + b"\x93",
    ):
        call = named + b"\x8c\x02id\x85R"
        pickled = P + b"}\x8c\x04argsX\1\0\0\0a" + call + b"ss."
        for content in (
            pickled,
            P + b"}\x8c\x04args}\x8c\x01a" + call + b"ss.",
        ):
            path = write_zip(tmp_path / "net.pth", content)
            with pytest.raises(UsageError, match=f"{name}', which could run"):
                readers.read(path)


def tensor(shape, strides, offset=0, count=6, key="0", kind="FloatStorage"):
    """The pickle of {"x": tensor}; its numbers can have any size."""

    def number(value):
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(X\7\0\0\0storagectorch\n" + kind.encode() + b"\n\x8c\1"
    storage += key.encode() + b"\x8c\3cpu" + number(count) + b"tQ"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset)
    call += numbers(shape) + numbers(strides) + b"\x89}tR"
    return P + b"}\x8c\1x" + call + b"s."


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"shape": (2, 3), "strides": (3, 1)}, None),
        ({"shape": (3, 2), "strides": (1, 3)}, None),
        ({"shape": (2, 2), "strides": (1, 1), "offset": 3}, None),
        ({"shape": (2, 3), "strides": (3, 1), "offset": 1}, "claims 24 bytes"),
        ({"shape": (2, 3), "strides": (4, 1)}, "claims 24 bytes"),
        ({"shape": (2**40,), "strides": (0,)}, "claims 4398046511104 bytes"),
        ({"shape": (7,), "strides": (0,)}, "claims 28 bytes"),
        ({"shape": (2,), "strides": (-1,), "offset": 5}, "cannot be"),
        ({"shape": (-2,), "strides": (1,)}, "cannot be"),
        ({"shape": (1,), "strides": (1,), "offset": -1}, "cannot be"),
        ({"shape": (2**63,), "strides": (0,)}, "cannot be"),
        ({"shape": (2, 3), "strides": (1,)}, "cannot be"),
        ({"shape": (1,) * 33, "strides": (1,) * 33}, "cannot be"),
        ({"shape": (1,), "strides": (1,), "count": 7}, "file holds 24"),
        ({"shape": (1,), "strides": (1,), "key": "1"}, "file holds 0"),
        ({"shape": (1,), "strides": (1,), "count": -1}, "PyTorch's storages"),
        ({"shape": (1,), "strides": (1,), "kind": "QInt8Storage"}, "QInt8"),
    ],
    ids=str,
)
def test_a_view_is_read_if_the_file_has_all_of_it(choices, message, tmp_path):
    numbers, path = np.arange(6, dtype="float32"), tmp_path / "net.pth"
    write_zip(path, tensor(**choices), **{"data/0": numbers.tobytes()})
    if message is None:
        assert_read_as_by_pytorch(path, weights_only=False)
        return
    with pytest.raises(UsageError, match=message):
        readers.read(path)


def test_a_changed_byte_is_seen(tmp_path):
    torch, path = peers.torch_module(), tmp_path / "net.pth"
    torch.save({"x": torch.full((9,), 1.5)}, path)
    content = path.read_bytes()
    at = content.index(np.full(9, 1.5, "float32").tobytes())
    path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    with pytest.raises(UsageError, match="x: .*damaged.*checksum"):
        readers.read(path).tensors["x"].read("x")


@pytest.mark.parametrize(
    "pickled, message",
    [
        (b"(ios\nsystem\n.", "operation INST"),
        (P + b"\x82\1.", "operation EXT1"),
        (P + b"Pname\n.", "operation PERSID"),
        (P + b"K\1Q.", "PyTorch's storages"),
        (P + b"K\1K\2\x93.", "by something other than text"),
        (P + b"cnet\nResNet\n)\x81}b.", "an object of net.ResNet, which"),
        (P + b"K\1.", "holds int, not a state_dict"),
        (P + b"}.", "holds no tensors"),
        (P + b"R.", "damaged"),
        (P + b"h\0.", "damaged"),
        (P + b"}", "damaged"),
        (b"", "damaged"),
    ],
    ids=str,
)
def test_what_torch_save_does_not_write_is_refused(pickled, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        readers.read(write_zip(tmp_path / "net.pth", pickled))


def test_other_files_of_pytorch_are_refused_with_what_to_do(tmp_path):
    torch, path = peers.torch_module(), tmp_path / "net.pth"
    net = torch.nn.Linear(2, 3)
    torch.save(net, path)
    with pytest.raises(UsageError, match="torch.nn.modules.linear.Linear, wh"):
        readers.read(path)
    torch.save({"x": torch.ones(2).to_sparse()}, path)
    with pytest.raises(UsageError, match="PyTorch is needed.*weights_only=Tru"):
        readers.read(path)
    write_zip(path, P + b"}.", **{"constants.pkl": b""})
    with pytest.raises(UsageError, match="TorchScript, which is a program"):
        readers.read(path)
    path.write_bytes(pickle.dumps({"x": np.ones(1)}))
    with pytest.raises(UsageError, match="that torch.save did not write"):
        readers.read(path)


def test_a_file_of_before_zips_that_is_cut_short_is_refused(tmp_path):
    torch, stream = peers.torch_module(), io.BytesIO()
    torch.save({"x": torch.ones(99)}, stream, **OLD)
    path, content = tmp_path / "net.pth", stream.getvalue()
    path.write_bytes(content)
    assert_read_as_by_pytorch(path)
    for size in (len(content) - 1, len(content) - 400, len(content) // 3):
        path.write_bytes(content[:size])
        with pytest.raises(UsageError, match="damaged|cut short"):
            readers.read(path)
