"""SGD against NumPy transcriptions of the published rules, and peers."""

import keras
import numpy as np
import peers
import pytest
import tensorflow as tf
import update_rules
from update_rules import L2
from update_rules import MOMENTUM
from update_rules import PUBLISHED
from update_rules import run

from keras_resnet import errors
from keras_resnet import optimizers

# float32 against float64.
TOLERANCE = {"rtol": 2e-6, "atol": 2e-6}

every_rule = pytest.mark.parametrize(
    "rule, nesterov",
    [(rule, nesterov) for rule in PUBLISHED for nesterov in (False, True)],
)


def _sgd(**choices):
    return optimizers.SGD(momentum=MOMENTUM, **{"l2": L2, **choices})


@every_rule
def test_update_is_as_published_over_changing_learning_rates(rule, nesterov):
    ours = run(_sgd(rule=rule, nesterov=nesterov))
    np.testing.assert_allclose(
        ours, PUBLISHED[rule](nesterov=nesterov), **TOLERANCE
    )


def test_the_rules_differ_once_the_rate_changes():
    results = [
        rule(nesterov=nesterov)
        for rule in PUBLISHED.values()
        for nesterov in (False, True)
    ]
    for i, one in enumerate(results):
        for other in results[:i]:
            assert np.abs(one - other).max() > 1e-3


def test_kerass_own_weight_decay_is_another_rule():
    decoupled = keras.optimizers.SGD(momentum=MOMENTUM, weight_decay=L2)
    found = run(decoupled)
    for published in PUBLISHED.values():
        assert np.abs(found - published()).max() > 1e-2


def test_without_l2_caffes_rule_is_kerass():
    for nesterov in (False, True):
        kerass = keras.optimizers.SGD(momentum=MOMENTUM, nesterov=nesterov)
        ours = _sgd(l2=0.0, nesterov=nesterov)
        np.testing.assert_array_equal(run(ours), run(kerass))


@pytest.mark.parametrize("nesterov", [False, True])
def test_torchs_rule_is_pytorchs(nesterov):
    torch = peers.torch_module()
    w = torch.nn.Parameter(torch.ones(5))
    peer = torch.optim.SGD(
        [w], lr=0.1, momentum=MOMENTUM, weight_decay=L2, nesterov=nesterov
    )
    gradients = update_rules.gradients()
    for rate, gradient in zip(update_rules.RATES, gradients, strict=True):
        peer.param_groups[0]["lr"] = rate
        w.grad = torch.from_numpy(gradient)
        peer.step()
    ours = run(_sgd(rule="torch", nesterov=nesterov))
    np.testing.assert_allclose(ours, w.detach().numpy(), atol=1e-6)


def test_coupled_l2_is_bit_for_bit_kerass_regularizer():
    """Keras' L2(x) is x * sum(w^2), hence the half."""

    def train(optimizer, regularizer):
        keras.utils.set_random_seed(0)
        layer = keras.layers.Dense(3, kernel_regularizer=regularizer)
        layer.build((None, 5))
        optimizer.build(layer.trainable_variables)
        for seed in range(60):
            x = np.random.default_rng(seed).normal(size=(4, 5)).astype("f")
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(layer(x) ** 2) + sum(layer.losses)
            variables = layer.trainable_variables
            optimizer.learning_rate = 0.1 if seed < 30 else 0.01
            optimizer.apply(tape.gradient(loss, variables), variables)
        return keras.ops.convert_to_numpy(layer.kernel)

    ours = train(_sgd(decay="kernels"), None)
    plain = keras.optimizers.SGD(momentum=MOMENTUM)
    twin = train(plain, keras.regularizers.L2(L2 / 2))
    np.testing.assert_array_equal(ours, twin)
    assert np.abs(ours - train(_sgd(l2=0.0), None)).max() > 1e-4


@pytest.mark.parametrize(
    "decay, name, l2",
    [("all", "kernel", L2), ("all", "gamma", L2),
     ("kernels", "kernel", L2), ("kernels", "gamma", 0.0)],
)  # fmt: skip
def test_scope_says_what_decays(decay, name, l2):
    for rule, published in PUBLISHED.items():
        ours = run(_sgd(decay=decay, rule=rule), name)
        np.testing.assert_allclose(ours, published(l2), **TOLERANCE)


@every_rule
@pytest.mark.parametrize(
    "multipliers, factor",
    [
        ({"layer/": 10.0}, 10.0),
        ({"layer/k": 0.1, "layer/": 10.0}, 0.1),  # the first that matches
        ({"kernel": 0.1}, 1.0),  # from the beginning of the path
    ],
)
def test_multipliers_act_as_lr_mult(multipliers, factor, rule, nesterov):
    ours = run(_sgd(rule=rule, nesterov=nesterov, rate_multipliers=multipliers))
    expected = PUBLISHED[rule](nesterov=nesterov, lr_mult=factor)
    np.testing.assert_allclose(ours, expected, **TOLERANCE)


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


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"decay": "kernel"}, "Did you mean 'kernels'"),
        ({"rule": "pytorch"}, "Did you mean 'torch'"),
        ({"rate_multipliers": {"stem/": 0}}, "freeze .* 'stem/': 0"),
    ],
)
def test_what_cannot_work_is_refused(choices, message):
    with pytest.raises(errors.UsageError, match=message):
        optimizers.SGD(**choices)


def test_config_round_trip():
    optimizer = _sgd(
        learning_rate=0.3, rule="torch", rate_multipliers={"logits/": 10.0}
    )
    config = keras.optimizers.serialize(optimizer)
    copy = keras.optimizers.deserialize(config)
    assert copy.get_config() == optimizer.get_config()
