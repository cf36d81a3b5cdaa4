"""Networks whose weights are all distinct, and images for them."""

import numpy as np

import keras_resnet
from keras_resnet.networks import specs


def set_distinct(model):
    """Sets each weight to a different random tensor of moderate values."""
    for seed, weight in enumerate(model.weights):
        rng = np.random.default_rng(seed)
        if weight.path.endswith("kernel"):
            fan_in = max(1, int(np.prod(weight.shape[:-1])))
            value = rng.standard_normal(weight.shape, "float32")
            value *= np.sqrt(1.5 / fan_in)
        else:
            value = rng.random(weight.shape, "float32") + 0.5
        weight.assign(value)


def images(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, "uint8")


def small(variant="resnet20", **kwargs):
    """A network of one unit a stage, whose weights are all distinct."""
    stages = len(specs.VARIANTS[variant].depths)
    kwargs = {"depths": (1,) * stages, **kwargs}
    model = keras_resnet.build(variant, **kwargs)
    set_distinct(model)
    return model
