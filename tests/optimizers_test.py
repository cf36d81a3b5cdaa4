"""SGD against a NumPy transcription of the published update rules."""

import keras
import numpy as np
import pytest

from keras_resnet import errors
from keras_resnet import optimizers

RATES = [0.1] * 10 + [0.01] * 10 + [0.05] * 10
L2, MOMENTUM = 1e-2, 0.9


def _gradients():
    return np.random.default_rng(0).normal(size=(len(RATES), 5)).astype("f")


def _run(optimizer, name="kernel"):
    layer = keras.layers.Layer(name="layer")
    variable = layer.add_weight(shape=(5,), initializer="ones", name=name)
    optimizer.build([variable])
    for rate, gradient in zip(RATES, _gradients(), strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return keras.ops.convert_to_numpy(variable)


def _caffe(l2, nesterov=False, lr_mult=1.0):
    """Caffe's sgd_solver: Regularize, then ComputeUpdateValue."""
    w, v = np.ones(5), np.zeros(5)
    for rate, gradient in zip(RATES, _gradients(), strict=True):
        rate = lr_mult * rate
        g = gradient + l2 * w
        before, v = v, MOMENTUM * v + rate * g
        # Nesterov: Sutskever et al. 2013, as Torch and Caffe write it.
        w = w - ((1 + MOMENTUM) * v - MOMENTUM * before if nesterov else v)
    return w


@pytest.mark.parametrize("nesterov", [False, True])
def test_update_is_caffes_over_changing_learning_rates(nesterov):
    ours = _run(optimizers.SGD(momentum=MOMENTUM, l2=L2, nesterov=nesterov))
    np.testing.assert_allclose(ours, _caffe(L2, nesterov), atol=2e-6)


def test_kerass_own_weight_decay_is_another_rule():
    decoupled = keras.optimizers.SGD(momentum=MOMENTUM, weight_decay=L2)
    assert np.abs(_run(decoupled) - _caffe(L2)).max() > 1e-2


@pytest.mark.parametrize(
    "decay, name, l2",
    [("all", "kernel", L2), ("all", "gamma", L2),
     ("kernels", "kernel", L2), ("kernels", "gamma", 0.0)],
)  # fmt: skip
def test_scope_says_what_decays(decay, name, l2):
    ours = _run(optimizers.SGD(momentum=MOMENTUM, l2=L2, decay=decay), name)
    np.testing.assert_allclose(ours, _caffe(l2), atol=2e-6)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(
    "multipliers, factor",
    [
        ({"layer/": 10.0}, 10.0),
        ({"layer/k": 0.1, "layer/": 10.0}, 0.1),  # the first that matches
        ({"kernel": 0.1}, 1.0),  # from the beginning of the path
    ],
)
def test_multipliers_act_as_caffes_lr_mult(multipliers, factor, nesterov):
    ours = _run(
        optimizers.SGD(
            momentum=MOMENTUM,
            l2=L2,
            nesterov=nesterov,
            rate_multipliers=multipliers,
        )
    )
    expected = _caffe(L2, nesterov, lr_mult=factor)
    np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=2e-6)


def test_variables_keep_their_own_multipliers():
    layer = keras.layers.Layer(name="layer")
    variables = [
        layer.add_weight(shape=(1,), initializer="zeros", name=name)
        for name in ("a", "b", "c")
    ]
    optimizer = optimizers.SGD(
        learning_rate=1.0, l2=0, rate_multipliers={"layer/b": 3.0}
    )
    optimizer.build(variables)
    ones = [keras.ops.ones((1,))] * 3
    optimizer.apply(ones, variables)
    steps = [float(keras.ops.convert_to_numpy(v)[0]) for v in variables]
    assert steps == [-1, -3, -1]


def test_a_multiplier_of_nothing_is_refused():
    with pytest.raises(errors.UsageError, match="freeze .* 'stem/': 0"):
        optimizers.SGD(rate_multipliers={"stem/": 0})


def test_config_round_trip():
    optimizer = optimizers.SGD(
        learning_rate=0.3,
        l2=L2,
        decay="kernels",
        rate_multipliers={"logits/": 10.0, "stem": 0.5},
    )
    config = keras.optimizers.serialize(optimizer)
    copy = keras.optimizers.deserialize(config)
    assert copy.get_config() == optimizer.get_config()


def test_unknown_scope_names_the_nearest():
    with pytest.raises(errors.UsageError, match="Did you mean 'kernels'"):
        optimizers.SGD(decay="kernel")
