"""The networks on Keras' JAX and PyTorch backends beside TensorFlow's.

A process has one backend, so each backend runs in its own process.
"""

import importlib.util
import os

import backend_functions
import keras
import numpy as np
import programs
import pytest
import update_rules
from backends import run_on

from keras_resnet.errors import UsageError
from keras_resnet.networks import chain
from keras_resnet.networks import layers
from keras_resnet.networks import operations
from keras_resnet.networks import primitives
from keras_resnet.networks import shortcuts
from keras_resnet.training.engines import engine

# `on_jax_test` compares training on JAX with TensorFlow's in the quick tests.
every_backend = pytest.mark.parametrize(
    "backend", [pytest.param("jax", marks=pytest.mark.large), "torch"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of networks, made by TensorFlow."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("Compares other backends with TensorFlow.")
    path = tmp_path_factory.mktemp("backends")
    backend_functions.prepare(path)
    return path


@pytest.fixture(scope="module")
def here(folder):
    return backend_functions.everything(folder)


_THERE = """
import sys

sys.modules["tensorflow"] = None  # importing it fails
import backend_functions

backend_functions.main(sys.argv[1])
"""


@pytest.fixture(scope="module")
def there(folder):
    """A function that gives a backend's results; its process runs once."""
    found = {}

    def of(backend):
        if backend not in found:
            run_on(backend, _THERE, str(folder))
            with np.load(folder / f"{backend}.npz") as file:
                found[backend] = {name: file[name] for name in file.files}
        return found[backend]

    return of


def _pairs(here, there, *starts):
    """(name, TensorFlow's, the backend's) for names that start so."""
    names = [name for name in here if name.startswith(starts)]
    assert names and set(names) <= set(there)
    for name in names:
        assert there[name].shape == here[name].shape, name
        yield name, here[name], there[name]


@every_backend
@pytest.mark.parametrize("network", backend_functions.NETWORKS)
def test_one_file_gives_one_answer(here, there, backend, network):
    for name, wanted, got in _pairs(here, there(backend), network):
        atol = 1e-5
        if name.endswith("logits"):
            # Different images give different logits: the pixels count.
            assert wanted.std(0).max() > 0.01 * wanted.std() > 1e-4
            atol = 1e-4 * wanted.std()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=atol, err_msg=name)


@every_backend
@pytest.mark.parametrize("kind", ["plain", "frozen"])
def test_steps_of_fit_are_tensorflows(here, there, backend, kind):
    """TensorFlow has its own BN kernel; the others use Keras' operations."""
    moved = set()
    for name, wanted, got in _pairs(here, there(backend), f"{kind} "):
        if np.abs(wanted).max() > 1e-4:
            moved.add(name.split()[1])
        assert np.any(got) == np.any(wanted)
        atol = 5e-3 * np.abs(wanted).max() + 1e-7
        np.testing.assert_allclose(got, wanted, rtol=0, atol=atol, err_msg=name)
    frozen = [p for p in moved if p.startswith(("pixels", "stem", "stage1"))]
    assert bool(frozen) == (kind == "plain")
    assert "stage2_unit1/conv1/kernel" in moved


@every_backend
@pytest.mark.parametrize(
    "what",
    [
        *("features", "multiply_adds", "clone", "grey", "mean image"),
        "torchvision",
    ],
)
def test_functions_give_the_same(here, there, backend, what):
    for name, wanted, got in _pairs(here, there(backend), what):
        assert np.any(wanted)
        np.testing.assert_allclose(got, wanted, 1e-4, 1e-5, err_msg=name)


@every_backend
def test_the_same_seed_draws_the_same_convolutions(here, there, backend):
    assert here["drawn"].std() > 0.01
    np.testing.assert_array_equal(there(backend)["drawn"], here["drawn"])


@every_backend
def test_sgd_is_as_published(there, backend):
    found = {k: v for k, v in there(backend).items() if k.startswith("sgd")}
    assert len(found) == 4
    for name, weights in found.items():
        _, rule, nesterov = name.split()
        expected = update_rules.PUBLISHED[rule](nesterov=nesterov == "True")
        np.testing.assert_allclose(weights, expected, rtol=2e-6, atol=2e-6)


# Methods of Keras' layers that our layers may replace.
REPLACED = {"build", "call", "compute_output_shape", "get_config"}
LAYERS = [
    value
    for module in (chain, layers, operations, primitives, shortcuts)
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, keras.layers.Layer)
    and value.__module__ == module.__name__
]


def hidden(layer, of):
    """Names of a class and of its instances that hide one of `of`.

    Args:
        layer: a class of layers; what its methods set on `self` counts too.
        of: names.
    """
    code = [f.__code__ for f in vars(layer).values() if hasattr(f, "__code__")]
    own = {n for n in vars(layer) if not n.startswith("__")}
    keras_own = set(dir(layer.__mro__[1]))
    stored = {n for c in code for n in _stored(c)}
    return ((own - REPLACED) | (stored - keras_own)) & set(of)


def _stored(code):
    import dis

    return {
        i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"
    }


def _names_of(base):
    return {name for name in dir(base) if not name.startswith("__")}


def test_the_layers_are_found():
    assert {layers.ResidualUnit, primitives.Bias, layers.Chain} <= set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_layer_hides_no_name_of_kerass(layer):
    assert not hidden(layer, _names_of(layer.__mro__[1]))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_layer_hides_no_name_of_pytorchs(layer):
    """On PyTorch a layer is a `torch.nn.Module`: its `forward` calls ours."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed: pip install torch")
    import torch

    module = torch.nn.Module()
    names = _names_of(module) | set(vars(module))
    assert {"forward", "train", "apply", "_parameters"} <= names
    assert not hidden(layer, names)


def test_a_name_that_hides_one_is_found():
    class Wrong(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.modules = []

        def forward(self, x):
            return x

        def call(self, x):
            self.weights, self.fine = x, x
            return x

    names = {"forward", "modules", "call", "weights"}
    assert hidden(Wrong, names) == {"forward", "modules"}


# Commands that need TensorFlow say so; any_network_test.py tests functions.


@pytest.mark.parametrize(
    "backend, command",
    [
        ("jax", "train"),
        ("jax", "evaluate --model=model.keras"),
        ("jax", "reproduce --experiment=degradation"),
        ("nothing", "train"),
    ],
)
def test_a_command_on_another_backend_ends_in_one_line(
    tmp_path, backend, command
):
    start = programs.start_cold
    if backend == "jax":
        pytest.importorskip("jax", reason="needs JAX")
        start = programs.start
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = start(*command.split(), cwd=tmp_path, env=environment)
    assert done.returncode == 2 and not done.stdout
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ERROR: ") and "KERAS_BACKEND=tensorflow" in last
    assert f"'{backend}'" in last
    assert not list(tmp_path.iterdir())


def test_data_commands_need_no_backend(tmp_path):
    pytest.importorskip("jax", reason="needs JAX")
    done = programs.start(
        *("data", "validate", "--dataset=digits"),
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "unreadable:       0" in done.stdout


def test_training_has_an_engine_on_two_backends_alone(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="the backend 'torch'"):
        engine.make()
