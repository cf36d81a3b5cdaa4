"""Weight files that claim more than they hold, and a process to load them.

    python tests/support/hostile_weights.py FOLDER FILE ...

loads each file into a network under a limit of memory. It prints a line of JSON
a file: what was said, the seconds, and by how many MB the peak of memory rose.
"""

import io
import json
import pathlib
import pickle
import resource
import sys
import time
import zipfile
import zlib

import h5py
import numpy as np

GIGABYTE = 2**30
LIMIT = 600 * 2**20  # bytes that a load may take: the network has 0.3 MB
_CONV = "layer1.0.conv1.weight"


def zeros(count):
    """A zlib stream of `count` zeros."""
    packer = zlib.compressobj(1)
    million = bytes(2**20)
    parts = [packer.compress(million) for _ in range(count // 2**20)]
    return b"".join([*parts, packer.flush()])


def expanded(path, **options):
    """One number, seen four thousand million times."""
    import torch

    tensor = torch.zeros(1, dtype=torch.bfloat16).expand(4_000_000_000)
    torch.save({_CONV: tensor}, path, **options)


def legacy_expanded(path):
    expanded(path, _use_new_zipfile_serialization=False)


def overstated(path):
    """A storage that is larger in the pickle than in the file."""
    import torch

    torch.save({_CONV: torch.zeros(3)}, path)
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            if name.endswith("data.pkl"):
                # BININT1 3, its storage's length, becomes BININT.
                huge = b"J" + (2**30).to_bytes(4, "little")
                member = member.replace(b"cpuq\x06K\x03", b"cpuq\x06" + huge)
            archive.writestr(name, member)


def _torch_zip(path, pickled):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3\n")


def allocating_pickle(path):
    """A call of bytearray, which PyTorch's restricted reader makes."""
    size = pickle.dumps(8 * GIGABYTE, 2)[2:-1]
    call = b"\x80\x02cbuiltins\nbytearray\n" + size + b"\x85R."
    _torch_zip(path, call)


def pickled(*operations):
    """A function that writes a file of PyTorch with that pickle."""
    return lambda path: _torch_zip(path, b"".join((b"\x80\x04", *operations)))


def many_members(path):
    """Each member takes ten times as much in memory as in the file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"")
        for number in range(100_001):
            archive.writestr(f"x/data/{number}", b"")


def deflated_pth(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
        archive.writestr("x/version", "3\n")
        with archive.open("x/data/0", "w", force_zip64=True) as file:
            for _ in range(1024):
                file.write(bytes(2**20))


def doubled_groups(path):
    """28 groups, each with two names for the next: 2^28 ways."""
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(28):
            after = group.create_group("a")
            group["b"] = after
            group = after
        group["x"] = np.ones(1, "float32")


def repeated_layer(path):
    """A layer of 64 MB that the list of layers names 3,000 times."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv1_conv"] * 3000
        group = file.create_group("conv1_conv")
        group.attrs["weight_names"] = [b"conv1_conv/kernel:0"]
        group["conv1_conv/kernel:0"] = np.zeros(2**24, "float32")


def long_name(path):
    """A layer's name of 4 MB, which each of its variables would repeat."""
    with h5py.File(path, "w") as file:
        variables = file.create_group("layers/conv/vars")
        variables.attrs["name"] = "x" * 2**22
        for number in range(1000):
            variables[str(number)] = np.ones(1, "float32")


def chunk_bomb(path):
    """One number, in a chunk that unpacks to a gigabyte."""
    _one_of(path, GIGABYTE // 4, zeros(GIGABYTE), compression="gzip")


def wide_chunk(path):
    """One number, in a chunk that claims 3.6 GB and has four bytes."""
    _one_of(path, 900_000_000, bytes(4))


def _one_of(path, numbers, chunk, **how):
    """One number, in a chunk that claims to have `numbers`."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "layers/conv/vars/0",
            (1,),
            "f4",
            maxshape=(None,),
            chunks=(numbers,),
            **how,
        )
        dataset.id.write_direct_chunk((0,), chunk)


def aliases(path):
    """A data set of 64 MB under ten names."""
    with h5py.File(path, "w") as file:
        file["layers/conv/vars/0"] = np.zeros(2**24, "float32")
        for number in range(1, 10):
            file[f"layers/conv/vars/{number}"] = file["layers/conv/vars/0"]


def unwritten(path):
    """A data set that was never written reads as zeros."""
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/conv/vars/0", (9,), "f4", chunks=(9,))


def deflated_keras(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("model.weights.h5", "w", force_zip64=True) as file:
            file.write(b"\x89HDF\r\n\x1a\n")
            for _ in range(1024):
                file.write(bytes(2**20))


def understated_keras(path):
    """The same file, but it claims to unpack to a thousand bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("model.weights.h5", "w", force_zip64=True) as file:
            for _ in range(1024):
                file.write(bytes(2**20))
        archive.getinfo("model.weights.h5").file_size = 1000


def bzipped_keras(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("model.weights.h5", bytes(2**20))


def claiming_safetensors(path):
    header = {"x": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))


# {name of the file: (what writes it, what the refusal says)}.
FILES = {
    "expanded.pth": (expanded, "claims 8000000000 bytes"),
    "legacy_expanded.pth": (legacy_expanded, "claims 8000000000 bytes"),
    "overstated.pth": (overstated, "storage of 4294967296, and the file hol"),
    "allocating.pth": (allocating_pickle, "more than tensors: 'builtins.byte"),
    # Python's own unpickler takes 64 GB for the number of a value and 8 GB for
    # the length of a text. A nested tuple as a key ends the process.
    "numbered.pth": (pickled(b"Nr\xff\xff\xff\xff."), "not a state_dict"),
    "text.pth": (pickled(b"\x8d", bytes(4), b"\2", bytes(3)), "damaged"),
    "lists.pth": (pickled(b"]" * 2**22), "more than 2000000 operations"),
    "deep_key.pth": (
        pickled(b"})", b"\x85" * 10**6, b"Ns."),
        "holds no tensors",
    ),
    "doubled_key.pth": (pickled(b"})", b"q\0h\0\x86" * 60, b"Ns."), "no tens"),
    "many_members.pth": (many_members, "more than 100000 members"),
    "deflated.pth": (deflated_pth, "unpacks to more than it holds"),
    "doubled_groups.h5": (doubled_groups, "circles, or share"),
    "repeated_layer.h5": (repeated_layer, "no known layout"),
    "long_name.h5": (long_name, "is no short text"),
    "chunk_bomb.h5": (chunk_bomb, "is compressed"),
    "wide_chunk.h5": (wide_chunk, "a chunk of 3600000000 bytes"),
    "aliases.h5": (aliases, "under another name"),
    "unwritten.h5": (unwritten, "holds 0 bytes of 36"),
    "deflated.keras": (deflated_keras, "unpacks to 1073741832 bytes"),
    "understated.keras": (understated_keras, "damaged"),
    "bzipped.keras": (bzipped_keras, "neither stored nor deflated"),
    "claiming.safetensors": (claiming_safetensors, "x is of 4 bytes, not"),
}


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_memory():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    held = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + LIMIT, held + LIMIT))


def main(folder, *names):
    import keras_resnet

    model = keras_resnet.build("resnet20", depths=(1, 1, 1))
    keras_resnet.save_weights(
        model, pathlib.Path(folder, "right.safetensors"), layout="keras_resnet"
    )
    keras_resnet.load_weights(model, pathlib.Path(folder, "right.safetensors"))
    _limit_memory()
    for name in names:
        before, start = _peak(), time.perf_counter()
        try:
            keras_resnet.load_weights(model, pathlib.Path(folder, name))
            said = "loaded"
        except keras_resnet.UsageError as error:
            said = f"UsageError: {error}"
        except BaseException as error:
            said = repr(error)
        taken = {
            "said": said[:1000],
            "seconds": time.perf_counter() - start,
            "megabytes": (_peak() - before) / 2**20,
        }
        print(json.dumps({"file": name, **taken}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
