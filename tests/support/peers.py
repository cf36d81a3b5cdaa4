"""Other libraries' networks, randomly filled, as sources of weights.

Each function skips the test that calls it if the library is absent.
"""

import numpy as np
import pytest


def torch_module():
    return pytest.importorskip("torch", reason="needs PyTorch (peers extra)")


def torchvision_models():
    _import_with_fakes_ignored("torchvision")
    from torchvision import models

    return models


def timm_module():
    torchvision_models()
    return pytest.importorskip("timm", reason="needs timm (peers extra)")


def keras_hub_models():
    hub = pytest.importorskip(
        "keras_hub", reason="needs KerasHub (peers extra)"
    )
    return hub.models


def _import_with_fakes_ignored(name):
    """Imports torchvision beside a PyTorch without its compiled operators.

    torchvision then declares shapes of operators that do not exist, which
    PyTorch refuses. Convolutional networks need none of them.
    """
    library = torch_module().library
    register = library.register_fake

    def register_what_exists(operator, *args, **kwargs):
        if str(operator).startswith(f"{name}::"):
            return lambda function: function
        return register(operator, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "register_fake", register_what_exists)
        pytest.importorskip(name, reason=f"needs {name} (peers extra)")


def fill(named_arrays, seed=0):
    """Values with which every tensor matters and activations stay moderate.

    Args:
        named_arrays: {name: array}, kernels with their outputs last.

    Returns:
        {name: float32 array}; scales of both signs, variances around one.
    """
    rng = np.random.default_rng(seed)
    filled = {}
    for name, array in named_arrays.items():
        shape = np.shape(array)
        if name.endswith(("gamma", "moving_variance")):
            value = rng.uniform(0.5, 1.5, shape)
            if name.endswith("gamma"):
                value *= rng.choice([-0.5, 1.0], shape)
        elif len(shape) > 1:
            inputs = np.prod(shape[:-1])
            value = rng.normal(0, np.sqrt(2 / inputs), shape)
        else:
            value = rng.normal(0, 0.2, shape)
        filled[name] = value.astype("float32")
    return filled


_KERAS_NAMES = {
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def fill_torch(net, seed=0):
    """Fills a PyTorch network and returns it ready for inference."""
    torch = torch_module()
    state = net.state_dict()
    floats = {k: v for k, v in state.items() if v.is_floating_point()}
    named = {}
    for key, tensor in floats.items():
        array = tensor.numpy()
        leaf = key.rsplit(".", 1)[1]
        if array.ndim > 1:
            array = np.moveaxis(array, 0, -1)
        elif leaf == "weight":
            leaf = "gamma"
        named[f"{key}:{_KERAS_NAMES.get(leaf, leaf)}"] = array
    for name, value in fill(named, seed).items():
        if value.ndim > 1:
            value = np.moveaxis(value, -1, 0)
        state[name.split(":")[0]] = torch.from_numpy(value.copy())
    net.load_state_dict(state)
    return net.eval()


def fill_keras(model, seed=0):
    """Fills a Keras model in the same way."""
    values = fill({w.path: w for w in model.weights}, seed)
    for weight in model.weights:
        weight.assign(values[weight.path])
    return model


def torch_logits(net, pixels, mean, std):
    """Logits of a PyTorch network for RGB pixels (B, H, W, 3), 0..255."""
    torch = torch_module()
    x = ((pixels - np.asarray(mean)) / np.asarray(std)).astype("float32")
    with torch.no_grad():
        return net(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
