"""The papers' equations in float64 NumPy, and units to compare with them.

They share no code with the library: they read the weights of a unit's
sub-layers and do the rest themselves.
"""

import math

import numpy as np

from keras_resnet.networks import layers
from keras_resnet.networks import specs

CHANNELS = 4  # of the inputs


ATOL = 1e-4  # float32 against float64, on activations of order 1 to 10


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomize(layer, seed=0):
    """Distinct values in every weight, so that swapped weights show."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        if "variance" in weight.path:
            value = rng.uniform(0.5, 2.0, weight.shape)
        elif "kernel" in weight.path:
            fan_in = math.prod(weight.shape[:-1])
            value = rng.normal(size=weight.shape) / math.sqrt(fan_in)
        else:
            value = rng.normal(size=weight.shape)
        weight.assign(value)


def leaves(layer):
    """{name: layer} of everything inside `layer`."""
    return {
        leaf.name: leaf for leaf in layer._flatten_layers(include_self=False)
    }


def numpy_conv(x, conv, strides=1):
    """Cross-correlation, padded by k // 2 on every side."""
    kernel = np.asarray(conv.kernel, "float64")
    size = kernel.shape[0]
    pad = size // 2
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    height = (x.shape[1] - size) // strides + 1
    width = (x.shape[2] - size) // strides + 1
    y = np.zeros((x.shape[0], height, width, kernel.shape[-1]))
    for i in range(height):
        for j in range(width):
            top, left = i * strides, j * strides
            window = x[:, top : top + size, left : left + size, :]
            y[:, i, j] = np.tensordot(window, kernel, axes=3)
    return y if conv.bias is None else y + np.asarray(conv.bias)


def numpy_bn(x, bn):
    mean, variance, gamma, beta = (
        np.asarray(w, "float64")
        for w in (bn.moving_mean, bn.moving_variance, bn.gamma, bn.beta)
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def fig4(placement, x, at, strides):
    """P2 Fig. 4 for two 3x3 convolutions: p, F(p) and f."""

    def conv1(value):
        return numpy_conv(value, at["conv1"], strides)

    def conv2(value):
        return numpy_conv(value, at["conv2"])

    def bn(number, value):
        return numpy_bn(value, at[f"bn{number}"])

    if placement == "original":
        return x, bn(2, conv2(relu(bn(1, conv1(x))))), relu
    if placement == "bn_after_add":
        branch = conv2(relu(bn(1, conv1(x))))
        return x, branch, lambda total: relu(bn(2, total))
    if placement == "relu_before_add":
        branch = relu(bn(2, conv2(relu(bn(1, conv1(x))))))
        return x, branch, lambda total: total
    if placement == "relu_preact":
        p = relu(x)
        return p, bn(2, conv2(relu(bn(1, conv1(p))))), lambda total: total
    p = relu(bn(1, x))
    branch = conv2(relu(bn(2, conv1(p))))
    if placement == "full_preact_bias":  # keras.applications, resnet.py
        return p, numpy_bias(branch, at["bias1"]), lambda total: total
    assert placement == "full_preact"
    return p, branch, lambda total: total


def numpy_bias(x, layer):
    return x + np.asarray(layer.bias, "float64")


def numpy_mean(x):
    """Means of 2x2 pixels; at the edges, of the pixels that there are."""
    rows = range(0, x.shape[1], 2)
    columns = range(0, x.shape[2], 2)
    means = [
        [x[:, i : i + 2, j : j + 2].mean(axis=(1, 2)) for j in columns]
        for i in rows
    ]
    return np.moveaxis(np.array(means), 2, 0)


def numpy_shortcut(shortcut, placement, x, p, at, strides, filters):
    """h without its scale: x, zeros appended to p, or a projection of p."""
    agrees = strides == 1 and x.shape[-1] == filters
    always = shortcut in ("C", "conv1x1")
    if always or (shortcut in ("B", "D") and not agrees):
        if shortcut == "D" and strides == 2:  # arXiv 1812.01187, fig. 2c
            p, strides = numpy_mean(p), 1
        h = numpy_conv(p, at["shortcut_conv"], strides)
        if placement == "full_preact_bias":
            return numpy_bias(h, at["shortcut_bias"])
        ends_in_bn = placement in ("original", "relu_before_add", "relu_preact")
        return numpy_bn(h, at["shortcut_bn"]) if ends_in_bn else h
    if agrees:
        return x
    p = p[:, ::strides, ::strides]
    zeros = np.zeros((*p.shape[:-1], filters - p.shape[-1]))
    return np.concatenate([p, zeros], axis=-1)


def numpy_sum(shortcut, h, branch, gate):
    """P2 Table 1: what is added."""
    if shortcut == "none":
        return branch
    if shortcut == "constant_scaling":
        return 0.5 * h + 0.5 * branch
    if shortcut == "constant_scaling_branch_1":
        return 0.5 * h + branch
    if shortcut == "dropout":  # its expectation, P2 sec. 3.1
        return 0.5 * h + branch
    if shortcut.startswith("exclusive_gating"):
        return (1 - gate) * h + gate * branch
    if shortcut.startswith("shortcut_only_gating"):
        return (1 - gate) * h + branch
    return h + branch


def make_unit(
    placement="original", shortcut="A", *, block="basic", strides=1, filters=4
):
    unit = layers.ResidualUnit(
        filters,
        strides=strides,
        agrees=strides == 1
        and filters * specs.BLOCKS[block].expansion == CHANNELS,
        block=specs.BLOCKS[block],
        placement=specs.PLACEMENTS[placement],
        shortcut=specs.SHORTCUTS[shortcut],
        name="unit",
    )
    unit.build((None, None, None, CHANNELS))
    return unit


def random_unit(*rows, **choices):
    unit = make_unit(*rows, **choices)
    randomize(unit)
    return unit


def numpy_unit(unit, placement, shortcut, x, strides, filters):
    """x' = f(h(p) + F(p)), P2 eq. 1 and 2."""
    at = leaves(unit)
    p, branch, f = fig4(placement, x.astype("float64"), at, strides)
    h = numpy_shortcut(shortcut, placement, x, p, at, strides, filters)
    gate = None
    if "gate" in at:
        gate = sigmoid(numpy_conv(p, at["gate"], strides))
    return f(numpy_sum(shortcut, h, branch, gate))
