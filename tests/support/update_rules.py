"""SGD as published, in NumPy, and a driver for optimizers on any backend."""

import keras
import numpy as np

RATES = [0.1] * 6 + [0.01] * 6 + [0.05] * 5 + [0.001] * 3
L2, MOMENTUM = 1e-2, 0.9


def gradients():
    """One float32 (5,) for each of RATES."""
    return np.random.default_rng(0).normal(size=(len(RATES), 5)).astype("f")


def run(optimizer, name="kernel"):
    """A variable of ones, float32 (5,), after all steps of an optimizer."""
    layer = keras.layers.Layer(name="layer")
    variable = layer.add_weight(shape=(5,), initializer="ones", name=name)
    optimizer.build([variable])
    for rate, gradient in zip(RATES, gradients(), strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return keras.ops.convert_to_numpy(variable)


def caffe(l2=L2, nesterov=False, lr_mult=1.0):
    """sgd_solver.cpp: Regularize, then ComputeUpdateValue; its Nesterov."""
    w, v = np.ones(5), np.zeros(5)
    for rate, gradient in zip(RATES, gradients(), strict=True):
        rate = lr_mult * rate
        g = gradient + l2 * w
        before, v = v, MOMENTUM * v + rate * g
        w = w - ((1 + MOMENTUM) * v - MOMENTUM * before if nesterov else v)
    return w


def torch(l2=L2, nesterov=False, lr_mult=1.0):
    """optim/sgd.lua with dampening 0: the rate is outside the buffer."""
    w, v = np.ones(5), None
    for rate, gradient in zip(RATES, gradients(), strict=True):
        g = gradient + l2 * w
        v = g.copy() if v is None else MOMENTUM * v + g
        w = w - lr_mult * rate * (g + MOMENTUM * v if nesterov else v)
    return w


PUBLISHED = {"caffe": caffe, "torch": torch}
