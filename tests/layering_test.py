"""Who may import what: the rules of the design, checked on the source.

Data flows left to right and nothing imports from its right. A rule that is
not checked on a source which breaks it proves nothing, so each one is.
"""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From left to right; the modules beside them are the root, left of them all.
PACKAGES = ("data", "evaluation", "training", "export", "pipelines")
TENSORFLOW = {"tensorflow"}
LAZY = {
    "tensorflow_datasets",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "ai_edge_litert",
    "openvino",
    "PIL",
    "pyarrow",
    "torch",
}
ROOT_MAY_IMPORT = {"numpy", "h5py", "safetensors", "keras", "keras_resnet"}
ROOT_MAY_IMPORT |= {"lazy_loader", "wrapt"}
# Not flags: those belong to the pipelines.
ROOT_MAY_LOG = {"absl.logging"}
FLAGS = {"absl.flags", "absl.app"}


def layer_of(path):
    """Position of a file from the left: 0 for the root of keras_resnet."""
    parts = pathlib.PurePosixPath(path).parts
    folder = parts[0] if parts[0] == "pipelines" else parts[1]
    return PACKAGES.index(folder) + 1 if folder in PACKAGES else 0


def layer_of_module(name):
    """The same for an imported module, or None if it is not ours."""
    parts = name.split(".")
    if parts[0] == "pipelines":
        return len(PACKAGES)
    if parts[0] != "keras_resnet":
        return None
    if len(parts) > 1 and parts[1] in PACKAGES:
        return PACKAGES.index(parts[1]) + 1
    return 0


def imports(tree):
    """(module, line, whether a function holds it) of every import."""

    def visit(node, inside):
        for child in ast.iter_child_nodes(node):
            function = isinstance(
                child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
            )
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, child.lineno, inside
            elif isinstance(child, ast.ImportFrom):
                module = child.module or ""
                if child.level:
                    module = "." * child.level + module
                # `from absl import flags` imports absl.flags.
                for alias in child.names:
                    yield f"{module}.{alias.name}", child.lineno, inside
            else:
                yield from visit(child, inside or function)

    return visit(tree, False)


def violations(path, source):
    """What `source`, of the file `path` in the repository, does wrong."""
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
    top, layer = module.split(".")[0], layer_of(path)
    standard = top in sys.stdlib_module_names
    if module.startswith("."):
        yield "relative import"
        return
    if path == "keras_resnet/networks/specs.py" and not standard:
        yield "specs imports more than the standard library"
    allowed = standard or top in ROOT_MAY_IMPORT or module in ROOT_MAY_LOG
    # Of PyTorch only the reader of its own files, where they are read.
    allowed |= top == "torch" and path == "keras_resnet/weights/torch_files.py"
    # What one backend does better, where Keras runs on it.
    kernels = inside and path == "keras_resnet/networks/execution.py"
    allowed |= kernels and top in TENSORFLOW
    if layer == 0 and not allowed:
        yield "a root module may not import it"
    target = layer_of_module(module)
    if target is not None and target > layer:
        yield f"imports from the right ({PACKAGES[target - 1]})"
    if top in TENSORFLOW and layer == 0 and not kernels:
        yield "TensorFlow in the root"
    if top in LAZY and not inside:
        yield "loaded before it is used"
    flags = any(f"{module}.".startswith(f"{name}.") for name in FLAGS)
    if flags and path.split("/")[0] != "pipelines":
        yield "flags outside pipelines"


def sources():
    for folder in ("keras_resnet", "pipelines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", list(sources()))
def test_a_file_imports_only_what_its_place_allows(path):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not violations(path, source)


def test_the_files_are_found():
    assert {"keras_resnet/networks/specs.py", "keras_resnet/model.py"} <= set(
        sources()
    )


@pytest.mark.parametrize(
    "path, source, problem",
    [
        ("keras_resnet/networks/specs.py", "import numpy", "standard library"),
        (
            "keras_resnet/networks/specs.py",
            "import keras_resnet.errors",
            "standard",
        ),
        ("keras_resnet/model.py", "import tensorflow as tf", "TensorFlow"),
        (
            "keras_resnet/model.py",
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
            "root module may not",
        ),
        (
            "keras_resnet/labels/cards.py",
            "def f():\n    import PIL",
            "root module",
        ),
        ("keras_resnet/model.py", "def f():\n    import torch", "root module"),
        (
            "keras_resnet/weights/torch_files.py",
            "import torch",
            "before it is used",
        ),
        (
            "keras_resnet/weights/loading.py",
            "from absl import app",
            "root module",
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
            "keras_resnet/weights/loading.py",
            "import h5py, numpy, safetensors.numpy",
        ),
        ("keras_resnet/weights/loading.py", "from absl import logging"),
        ("keras_resnet/weights/torch_files.py", "def f():\n    import torch"),
        ("keras_resnet/model.py", "from keras_resnet import specs"),
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
