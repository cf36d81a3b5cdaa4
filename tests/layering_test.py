"""Which module may import which: the design's rules, checked on the source.

Data flows left to right and nothing imports from its right. Each rule is also
checked on a source that breaks it: otherwise it would prove nothing.
"""

import ast
import pathlib
import re
import sys

import pytest
from sources import imports
from sources import module_of

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From left to right. A module at the root is a room of its own.
ROOMS = (
    "moved",
    "errors",
    "files",
    "progress",
    "labels",
    "networks",
    "optimizers",
    "weights",
    "models",
    "constructors",
    "recipes",
    "data.examples",
    "data.pixels",
    "data.stores",
    "data",
    "data.survey",
    "inference",
    "evaluation",
    "training",
    "export.folding",
    "export.writers",
    "export.formats",
    "export.verification",
    "export",
    "commands",
    "__main__",
    "pipelines",
)
# Rooms that use only Keras, on any backend.
KERAS_ONLY = ROOMS[: ROOMS.index("data.examples")]
TENSORFLOW = {"tensorflow"}
LAZY = {
    "tensorflow_datasets",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "ai_edge_litert",
    "huggingface_hub",
    "openvino",
    "PIL",
    "pyarrow",
    "torch",
}
# What one backend does better, and private names of it.
KERNELS = {
    "keras_resnet/networks/execution.py",
    "keras_resnet/networks/internals.py",
}
# Tables of numbers that anybody may read and import.
TABLES = {
    "keras_resnet/networks/rows.py",
    "keras_resnet/networks/variants.py",
    "keras_resnet/networks/specs.py",
    "keras_resnet/networks/papers.py",
}
TABLES_MAY = (
    "keras_resnet.errors",
    "keras_resnet.networks.rows",
    "keras_resnet.networks.variants",
)
KERAS_ONLY_MAY = {
    "filelock",
    "h5py",
    "huggingface_hub",
    "kagglehub",  # if a user has it
    "keras",
    "keras_resnet",
    "lazy_loader",
    "matplotlib",
    "numpy",
    "safetensors",
    "tqdm",
}
# Not flags: those belong to the commands.
KERAS_ONLY_MAY_LOG = {"absl.logging"}
FLAGS = {"absl.flags", "absl.app"}


def room_of(name):
    """The room of a module by its dotted name; None if it is not ours.

    The package itself, which loads everything lazily, is in the leftmost room.
    """
    parts = name.split(".")
    if parts[0] == "pipelines":
        return "pipelines"
    if parts[0] != "keras_resnet":
        return None
    for length in (3, 2):
        if ".".join(parts[1:length]) in ROOMS:
            return ".".join(parts[1:length])
    return ROOMS[0]


def violations(path, source):
    """What the `source` of the file `path` in the repository does wrong."""
    tree, found = ast.parse(source), []
    for module, line, inside in imports(tree):
        for problem in _problems(path, module, inside):
            found.append(f"{path}:{line}: {problem}: {module}")
    if path.startswith("keras_resnet/"):
        found += [
            f"{path}:{node.lineno}: assert in the library"
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert)
        ]
    return found


def _problems(path, module, inside):
    top, room = module.split(".")[0], room_of(module_of(path))
    standard = top in sys.stdlib_module_names
    if module.startswith("."):
        yield "relative import"
        return
    if path in TABLES and not standard and not module.startswith(TABLES_MAY):
        yield "a table imports more than errors and the standard library"
    target = room_of(module)
    if target and ROOMS.index(target) > ROOMS.index(room):
        yield f"imports from the right ({target})"
    if top in LAZY and not inside:
        yield "loaded before it is used"
    flags = any(f"{module}.".startswith(f"{name}.") for name in FLAGS)
    if flags and room not in ("commands", "pipelines"):
        yield "flags outside commands"
    if room in KERAS_ONLY and path != "keras_resnet/__init__.py":
        yield from _needs_more_than_keras(path, module, inside)


def _needs_more_than_keras(path, module, inside):
    top = module.split(".")[0]
    allowed = top in sys.stdlib_module_names or top in KERAS_ONLY_MAY
    allowed |= module in KERAS_ONLY_MAY_LOG
    # What one backend does better, where Keras runs on it.
    kernels = inside and path in KERNELS
    if top in TENSORFLOW and not kernels:
        yield "TensorFlow where Keras serves"
    elif top not in TENSORFLOW and not allowed:
        yield "a room on Keras alone may not import it"


def sources(*folders):
    for folder in folders or ("keras_resnet", "pipelines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", list(sources()))
def test_a_file_imports_only_what_its_place_allows(path):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not violations(path, source)


def test_the_root_holds_ten_files_at_most():
    root = [path.name for path in (ROOT / "keras_resnet").iterdir()]
    assert len([name for name in root if "." in name]) <= 10, sorted(root)


def _targets():
    """{name: (sources, deps)} of BUILD's libraries, read as Python."""
    found = {}

    def glob(patterns, **kwargs):
        del kwargs
        return [
            path.relative_to(ROOT).as_posix()
            for pattern in patterns
            for path in ROOT.glob(pattern)
        ]

    def py_library(name, srcs, deps=(), **kwargs):
        del kwargs
        found[name] = srcs, {dep.removeprefix(":") for dep in deps}

    def ignored(*args, **kwargs):
        del args, kwargs

    rules = {"glob": glob, "py_library": py_library}
    for name in ("load", "package", "py_binary", "py_test"):
        rules[name] = ignored
    exec((ROOT / "BUILD").read_text(), rules)
    return {n: t for n, t in found.items() if n.startswith("keras_resnet.")}


# {module: the distribution that has it}, where the names differ.
DISTRIBUTIONS = {"PIL": "pillow", "absl": "absl_py", "google": "protobuf"}
# Used only if a user has them; otherwise a message names them.
OPTIONAL = {"jax", "jaxlib", "kagglehub", "openvino", "torch"}
# Other distributions import these but do not require them.
UNSEEN = {"@pypi//importlib_resources", "@pypi//tensorboard"}


def test_each_target_of_the_build_depends_on_what_it_imports():
    targets = _targets()
    owner = {src: name for name, (srcs, _) in targets.items() for src in srcs}
    files = {module_of(src): name for src, name in owner.items()}
    for name, (srcs, deps) in targets.items():
        needed = set()
        for src in srcs:
            tree = ast.parse((ROOT / src).read_text(encoding="utf-8"))
            needed |= {_dep(m, files) for m, _, _ in imports(tree)}
        assert needed - {None, name} == deps - UNSEEN, name
    assert len(owner) == len(list(sources("keras_resnet"))) - 1  # __main__


def _dep(module, files):
    """The dependency of a target that imports `module`, or None."""
    top = module.split(".")[0]
    if top == "keras_resnet":
        parent = module.rpartition(".")[0]
        return files.get(module) or files.get(parent)
    if top in sys.stdlib_module_names or top in OPTIONAL:
        return None
    return f"@pypi//{DISTRIBUTIONS.get(top, top)}"


# {room: the node that stands for it in docs/MAP.md, None if there is none}.
DRAWN = {
    "__main__": None,
    "constructors": "models",
    "errors": None,
    "files": None,
    "moved": None,
    "optimizers": "recipes",
    "progress": None,
}


def _arrows():
    """{(left, right)}: imports between drawn rooms, without implied ones."""
    readers = {}
    for path in sources():
        right = _drawn(module_of(path))
        for module, _, _ in imports(ast.parse((ROOT / path).read_text())):
            left = _drawn(module)
            if left and right and left != right:
                readers.setdefault(right, set()).add(left)

    def below(room):
        direct = readers.get(room, set())
        return direct.union(*map(below, direct))

    return {
        (left, right)
        for right, lefts in readers.items()
        for left in lefts
        if not any(left in below(other) for other in lefts - {left})
    }


def _drawn(module):
    room = room_of(module)
    top = room and room.split(".")[0]
    return DRAWN.get(top, top)


def test_the_drawn_map_is_what_the_sources_import():
    page = (ROOT / "docs" / "MAP.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^ +(\w+) --> (\w+)$", page, re.M)
    assert len(drawn) > 10
    assert set(drawn) == _arrows()


def test_the_files_are_found():
    assert {"keras_resnet/networks/specs.py", "keras_resnet/models.py"} <= set(
        sources()
    )


@pytest.mark.parametrize(
    "path, source, problem",
    [
        ("keras_resnet/networks/specs.py", "import numpy", "standard library"),
        (
            "keras_resnet/networks/specs.py",
            "import keras_resnet.files",
            "standard",
        ),
        ("keras_resnet/models.py", "import tensorflow as tf", "TensorFlow"),
        (
            "keras_resnet/models.py",
            "def f():\n    from tensorflow import io",
            "TensorFlow",
        ),
        (
            "keras_resnet/networks/execution.py",
            "import tensorflow",
            "TensorFlow",
        ),
        (
            "keras_resnet/labels/cards.py",
            "import requests",
            "on Keras alone",
        ),
        (
            "keras_resnet/labels/cards.py",
            "def f():\n    import PIL",
            "on Keras alone",
        ),
        (
            "keras_resnet/models.py",
            "def f():\n    import torch",
            "on Keras alone",
        ),
        (
            "keras_resnet/weights/torch_files.py",
            "def f():\n    import torch",
            "on Keras alone",
        ),
        (
            "keras_resnet/weights/loading.py",
            "from absl import app",
            "on Keras alone",
        ),
        (
            "keras_resnet/recipes/table.py",
            "from keras_resnet.data import datasets",
            r"from the right \(data\)",
        ),
        (
            "keras_resnet/recipes/table.py",
            "from keras_resnet import training",
            r"from the right \(training\)",
        ),
        (
            "keras_resnet/data/pipeline.py",
            "def f():\n    import keras_resnet.training.loop",
            r"from the right \(training\)",
        ),
        (
            "keras_resnet/evaluation/views.py",
            "from keras_resnet.export import runtime",
            r"from the right \(export\)",
        ),
        (
            "keras_resnet/export/writers/onnx.py",
            "import pipelines.train",
            r"from the right \(pipelines\)",
        ),
        (
            "keras_resnet/training/loop.py",
            "from absl import flags",
            "flags outside",
        ),
        ("keras_resnet/data/x.py", "import absl.flags", "flags outside"),
        (
            "keras_resnet/data/datasets.py",
            "import tensorflow_datasets as tfds",
            "before it is used",
        ),
        (
            "pipelines/predict.py",
            "try:\n    from PIL import Image\nexcept ImportError:\n    pass",
            "before it is used",
        ),
        (
            "keras_resnet/training/reporting.py",
            "class Plot:\n    import matplotlib.pyplot as plt",
            "before it is used",
        ),
        (
            "keras_resnet/networks/layers.py",
            "from . import specs",
            "relative import",
        ),
        (
            "keras_resnet/networks/layers.py",
            "x = 1\nassert x",
            "assert in the library",
        ),
    ],
)
def test_a_file_that_breaks_a_rule_is_reported(path, source, problem):
    found = violations(path, source)
    assert len(found) >= 1
    with pytest.raises(AssertionError, match=problem):
        assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "path, source",
    [
        ("keras_resnet/networks/specs.py", "import dataclasses"),
        (
            "keras_resnet/networks/specs.py",
            "from keras_resnet.errors import require",
        ),
        (
            "keras_resnet/weights/loading.py",
            "import h5py, numpy, safetensors.numpy",
        ),
        ("keras_resnet/weights/loading.py", "from absl import logging"),
        ("keras_resnet/models.py", "from keras_resnet import specs"),
        ("keras_resnet/data/pipeline.py", "import tensorflow as tf"),
        (
            "keras_resnet/data/datasets.py",
            "def load():\n    import tensorflow_datasets as tfds",
        ),
        ("keras_resnet/training/loop.py", "from keras_resnet.data import x"),
        ("keras_resnet/training/loop.py", "from absl import logging"),
        ("pipelines/train.py", "from absl import app\nfrom absl import flags"),
        ("pipelines/train.py", "from keras_resnet.export import onnx"),
    ],
)
def test_what_the_design_allows_is_not_reported(path, source):
    assert not violations(path, source)
