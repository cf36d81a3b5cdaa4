"""Files of every format: correct, damaged and hostile."""

import json
import pathlib
import pickle
import re
import zipfile

import h5py
import hostile_weights
import numpy as np
import peers
import pytest
import zygote
from small_weights import SMALL
from small_weights import assert_equal_weights
from small_weights import assert_refused
from small_weights import small_model

import keras_resnet
from keras_resnet.weights import readers


@pytest.fixture(name="model", scope="module")
def _model():
    return small_model()


def save(model, path):
    """Saves a model in the format of the path's suffix."""
    if path.suffix == ".safetensors":
        keras_resnet.save_weights(model, path)
    else:
        (model.save if path.suffix == ".keras" else model.save_weights)(path)
    return path


every_format = pytest.mark.parametrize(
    "name", ["a.safetensors", "a.weights.h5", "a.keras"]
)


@every_format
def test_build_takes_the_weights_of_a_file(name, model, tmp_path):
    path = save(model, tmp_path / name)
    weights = path if path.suffix == ".keras" else str(path)
    twin = keras_resnet.build("resnet50_v1_5", weights=weights, **SMALL)
    assert_equal_weights(twin, model)


@every_format
def test_a_truncated_file_is_refused(name, model, tmp_path):
    path = save(model, tmp_path / name)
    content = path.read_bytes()
    sizes = [len(content) // 2, len(content) - 1, 9, 0]
    if name == "a.weights.h5":
        sizes.remove(len(content) - 1)  # padding of the last block, if any
    for size in sizes:
        path.write_bytes(content[:size])
        assert_refused(path, "a[.].*(damaged|none of HDF5)", model)


def test_of_a_keras_file_only_the_weights_are_read(model, tmp_path):
    path = save(model, tmp_path / "a.keras")
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "not JSON: never read")
        archive.writestr("model.weights.h5", weights)
    twin = keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert_equal_weights(twin, model)


def test_a_safetensors_file_that_begins_like_a_pickle_is_read(model, tmp_path):
    """Its first byte is the lowest byte of the header's length."""
    path = save(model, tmp_path / "a.safetensors")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, rest = content[8 : 8 + length], content[8 + length :]
    header += b" " * ((0x80 - length) % 256)
    path.write_bytes(len(header).to_bytes(8, "little") + header + rest)
    assert path.read_bytes().startswith(b"\x80")
    keras_resnet.load_weights(small_model(), path)


def test_bfloat16_is_read_exactly_and_other_numbers_are_no_weights(tmp_path):
    torch, path = peers.torch_module(), tmp_path / "a.safetensors"
    save = pytest.importorskip("safetensors.torch").save_file
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int16).reshape(256, -1)
    halves = bits.view(torch.bfloat16)
    save({"x": halves, "y": halves.to(torch.float8_e4m3fn)}, path)
    found = readers.read(path).tensors
    np.testing.assert_array_equal(found["x"].read("x"), halves.float())
    with pytest.raises(keras_resnet.UsageError, match="type F8_E4M3, which"):
        found["y"].read("y")


@pytest.mark.parametrize(
    "header, message",
    [
        ({"data_offsets": [0, 9]}, "of 9 bytes, not"),
        ({"data_offsets": [4, 8]}, "byte 0 is of no tensor"),
        ({"data_offsets": [-4, 0]}, "of 4 bytes, not"),
        ({"shape": [2]}, "of 4 bytes, not"),
        ({"shape": [1.0]}, "of 4 bytes, not"),
        ({"shape": [0], "data_offsets": [0, 0]}, "end at 0 of 8 bytes"),
        ({"shape": None}, "damaged"),
    ],
    ids=str,
)
def test_a_header_that_is_not_of_its_file_is_refused(header, message, tmp_path):
    path = tmp_path / "a.safetensors"

    def write(row):
        text = json.dumps({"x": row}).encode()
        size = len(text).to_bytes(8, "little")
        path.write_bytes(size + text + bytes(4 * len(row["data_offsets"])))

    right = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    write(right)
    assert readers.read(path).tensors["x"].read("x").shape == (2,)
    write({**right, "shape": [1], "data_offsets": [0, 4], **header})
    with pytest.raises(keras_resnet.UsageError, match=message):
        readers.read(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1c\x00\x00\x00TFL3" * 9, b"PK\x03\x04" * 9, b"x" * 99],
)
def test_other_files_are_refused(content, model, tmp_path):
    (tmp_path / "a.weights.h5").write_bytes(content)
    assert_refused(tmp_path / "a.weights.h5", "damaged|none of", model)
    assert_refused(tmp_path, "no weights file", model)
    assert_refused(tmp_path / "b.h5", "There is no weights file", model)


# HDF5.

_VARS = "layers/dense/vars"


def _rename(file):
    file[_VARS].attrs["name"] = "head"


def _link(file):
    file[f"{_VARS}/1"] = h5py.SoftLink(f"/{_VARS}/0")


def _external(file):
    file[f"{_VARS}/1"] = h5py.ExternalLink("other.h5", "/x")


def _storage(file):
    file[_VARS].create_dataset("1", (5,), "f4", external=[("/dev/zero", 0, 20)])


def _bomb(file):
    file[_VARS].create_dataset("1", (2**40,), "f4", chunks=(9,))


def _circle(file):
    file["layers/dense/again"] = file["layers"]


def _alias(file):
    file[f"{_VARS}/2"] = file[f"{_VARS}/0"]


def _more(file):
    file[f"{_VARS}/2"] = np.ones(3, "float32")


@pytest.mark.parametrize(
    "change, message",
    [
        (_rename, r"(?s)- logits/kernel.*\+ head/kernel"),
        (_link, "is a link"),
        (_external, "is a link"),
        (_storage, "not a plain dataset"),
        (_bomb, "unpacks to .* bytes, and holds"),
        (_circle, "circles"),
        (_alias, "under another name"),
        (_more, r"\+ logits/2"),
    ],
)
def test_hdf5_that_is_not_what_keras_writes_is_refused(
    change, message, model, tmp_path
):
    path = save(model, tmp_path / "a.weights.h5")
    with h5py.File(path, "a") as file:
        if change in (_link, _external, _storage, _bomb):
            del file[f"{_VARS}/1"]
        change(file)
    assert_refused(path, message, model)


# Pickles.


class Hostile:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return pathlib.Path.touch, (self.mark,)


def test_a_hostile_pickle_never_runs(model, tmp_path):
    torch = peers.torch_module()
    mark, path = tmp_path / "mark", tmp_path / "net.pth"
    state = {"layer1.0.conv1.weight": Hostile(mark)}
    pickle.loads(pickle.dumps(state))
    assert mark.exists(), "the control: it does run where pickles may"
    mark.unlink()
    old = {"_use_new_zipfile_serialization": False}
    writers = [
        lambda: torch.save(state, path),
        lambda: torch.save(state, path, **old),
        lambda: torch.save(state | {"x": torch.ones(1)}, path),
        lambda: path.write_bytes(pickle.dumps(state)),
    ]
    for write in writers:
        write()
        assert_refused(path, "pathlib|builtins.getattr|did not write", model)
        assert not mark.exists()


@pytest.fixture(scope="module", name="loaded")
def _loaded(tmp_path_factory):
    """The outcome of each hostile file, in a process with little memory."""
    peers.torch_module()
    folder = tmp_path_factory.mktemp("hostile")
    for name, (write, _) in hostile_weights.FILES.items():
        write(folder / name)
    done = zygote.run(
        hostile_weights.__file__,
        folder,
        *hostile_weights.FILES,
        cwd=folder,
        timeout=240,
    )
    lines = map(json.loads, done.stdout.splitlines())
    return {line["file"]: line for line in lines}


@pytest.mark.large
@pytest.mark.parametrize("name", hostile_weights.FILES)
def test_names_sizes_and_counts_come_before_bytes(name, loaded):
    found = loaded[name]
    assert re.match(
        f"UsageError: .*(?:{hostile_weights.FILES[name][1]})", found["said"]
    ), found
    # Memory for the file itself, and for nothing that it claims.
    assert found["megabytes"] < 200
    assert found["seconds"] < 60
