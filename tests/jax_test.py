"""The networks on Keras' JAX backend, in processes of their own.

A backend is chosen once a process, so each test starts one.
"""

import importlib.util
import json

import keras
import numpy as np
import pytest
from backends import run_on

import keras_resnet

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed: pip install jax",
)

# name -> (variant, choices); together both placements and three shortcuts.
NETWORKS = {
    "resnet20": ("resnet20", {}),
    "resnet50_v2": (
        "resnet50_v2",
        {
            "depths": (1, 2, 1, 1),
            "filters": (16, 32, 64, 128),
            "input_shape": (64, 48, 3),
            "classes": 10,
        },
    ),
    "gated": (
        "resnet110_exclusive_gating",
        {"depths": (1, 1, 1), "input_shape": (17, 16, 3)},
    ),
}

_RUN = """
import json
import sys

import keras
import numpy as np

import keras_resnet

folder, networks = sys.argv[1], json.loads(sys.argv[2])
if keras.backend.backend() != "jax":
    raise SystemExit("Keras is not on JAX.")
for name, (variant, choices) in networks.items():
    choices = {k: tuple(v) if isinstance(v, list) else v
               for k, v in choices.items()}
    x = np.load(f"{folder}/{name}_images.npy")
    built = keras_resnet.build(
        variant, weights=f"{folder}/{name}.weights.h5", **choices
    )
    loaded = keras.saving.load_model(f"{folder}/{name}.keras")
    loaded.save(f"{folder}/{name}_again.keras")
    again = keras.saving.load_model(f"{folder}/{name}_again.keras")
    for kind, model in (("built", built), ("loaded", loaded), ("again", again)):
        logits = keras_resnet.logits(model)(x)
        np.save(f"{folder}/{name}_{kind}.npy", np.asarray(logits))
"""

_GRADIENTS = """
import sys

import jax
import numpy as np

import keras_resnet

folder = sys.argv[1]
for name, remat in (("plain", False), ("remat", True)):
    whole = keras_resnet.build(
        "resnet20", input_shape=(16, 16, 3), remat=remat
    )
    whole.load_weights(f"{folder}/trained.weights.h5")
    model = keras_resnet.logits(whole)
    x = np.load(f"{folder}/trained_images.npy")

    def loss(weights, state):
        y, state = model.stateless_call(weights, state, x, training=True)
        return (y**2).sum(), state

    values = [
        [v.value for v in variables]
        for variables in (model.trainable_variables,
                          model.non_trainable_variables)
    ]
    gradients, state = jax.jit(jax.grad(loss, has_aux=True))(*values)
    paths = [v.path for v in (*model.trainable_variables,
                              *model.non_trainable_variables)]
    found = dict(zip(paths, map(np.asarray, [*gradients, *state])))
    np.savez(f"{folder}/{name}.npz", **found)
"""


def set_random(model):
    """Random weights whose BN statistics are far from (0, 1)."""
    for seed, weight in enumerate(model.weights):
        rng = np.random.default_rng(seed)
        if weight.path.endswith("kernel"):
            fan_in = np.prod(weight.shape[:-1])
            value = rng.normal(size=weight.shape) * np.sqrt(1.5 / fan_in)
        elif weight.path.startswith("pixels"):
            value = rng.uniform(50, 150, weight.shape)
        elif weight.path.endswith("variance"):
            value = rng.uniform(0.5, 2, weight.shape)
        else:
            value = rng.normal(size=weight.shape)
        weight.assign(value)


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    """{name: logits here} and a function from (name, kind) to JAX's."""
    if keras.backend.backend() == "jax":
        pytest.skip("Compares JAX with another backend, and this is JAX.")
    folder, here = tmp_path_factory.mktemp("jax"), {}
    for name, (variant, choices) in NETWORKS.items():
        model = keras_resnet.build(variant, **choices)
        set_random(model)
        model.save_weights(folder / f"{name}.weights.h5")
        model.save(folder / f"{name}.keras")
        shape = (4, *model.input_shape[1:])
        x = np.random.default_rng(0).integers(0, 256, shape, "uint8")
        np.save(folder / f"{name}_images.npy", x)
        here[name] = np.asarray(keras_resnet.logits(model)(x))
    run_on("jax", _RUN, str(folder), json.dumps(NETWORKS))
    return here, lambda name, kind: np.load(folder / f"{name}_{kind}.npy")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["built", "loaded", "again"])
def test_jax_gives_the_same_logits(logits, name, kind):
    here, on_jax = logits
    expected, found = here[name], on_jax(name, kind)
    spread = expected.std()
    assert spread > 0.01
    # Different images give different logits, so that the pixels count.
    assert expected.std(0).max() > 0.01 * spread
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * spread)


def test_jax_trains_as_tensorflow_and_when_it_computes_units_again(tmp_path):
    """TensorFlow has a kernel of its own for BN, JAX has Keras' operations."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Compares JAX with TensorFlow.")
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    whole = keras_resnet.build("resnet20", input_shape=(16, 16, 3))
    model = keras_resnet.logits(whole)
    whole.save_weights(tmp_path / "trained.weights.h5")
    x = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), "uint8")
    np.save(tmp_path / "trained_images.npy", x)
    run_on("jax", _GRADIENTS, str(tmp_path))
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 2)
    gradients = tape.gradient(loss, [v.value for v in variables])
    here = {v.path: g for v, g in zip(variables, gradients, strict=True)}
    here |= {v.path: v for v in model.non_trainable_variables}
    for name in ("plain", "remat"):
        on_jax = np.load(tmp_path / f"{name}.npz")
        assert set(on_jax.files) == set(here)
        for path, value in here.items():
            value = np.asarray(value)
            atol = 1e-3 * np.abs(value).max()
            np.testing.assert_allclose(on_jax[path], value, atol=atol, rtol=0)
