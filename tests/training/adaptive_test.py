"""AdamW, LAMB and Muon against their peers, and what all optimizers share."""

import keras
import numpy as np
import peers
import pytest
import tensorflow as tf
import update_rules
from digit_runs import read
from update_rules import MOMENTUM
from update_rules import run

from keras_resnet import optimizers
from keras_resnet.training import loss_scale

DECAY = 0.05
# float32 against float64 powers and roots, over 20 steps.
TOLERANCE = {"rtol": 2e-5, "atol": 2e-6}
ADAPTIVE = {
    "adamw": optimizers.AdamW,
    "lamb": optimizers.Lamb,
    "muon": optimizers.Muon,
}


def _torchs(optimizer_of):
    """What `run` gives for an optimizer of PyTorch."""
    torch = peers.torch_module()
    w = torch.nn.Parameter(torch.ones(5))
    peer, gradients = optimizer_of([w]), update_rules.gradients()
    for rate, gradient in zip(update_rules.RATES, gradients, strict=True):
        peer.param_groups[0]["lr"] = rate
        w.grad = torch.from_numpy(gradient)
        peer.step()
    return w.detach().numpy()


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_adamw_is_pytorchs_and_kerass(decay):
    torch = peers.torch_module()
    ours = run(optimizers.AdamW(weight_decay_rate=decay))
    theirs = _torchs(lambda w: torch.optim.AdamW(w, weight_decay=decay))
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)
    kerass = keras.optimizers.AdamW(weight_decay=decay, epsilon=1e-8)
    np.testing.assert_allclose(ours, run(kerass), rtol=1e-3, atol=1e-4)
    coupled = _torchs(lambda w: torch.optim.Adam(w, weight_decay=DECAY))
    assert np.abs(ours - coupled).max() > 1e-2


@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_lamb_is_timms(decay, clip):
    peers.timm_module()
    lamb = pytest.importorskip("timm.optim").Lamb
    ours = run(optimizers.Lamb(weight_decay_rate=decay, clip_norm=clip))
    theirs = _torchs(
        lambda w: lamb(w, weight_decay=decay, max_grad_norm=clip or None)
    )
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def test_lambs_decay_is_in_its_ratio_and_kerass_is_not():
    # With next to no decay there is no difference.
    for decay, equal in ((1e-30, True), (DECAY, False)):
        ours = run(optimizers.Lamb(weight_decay_rate=decay))
        kerass = keras.optimizers.Lamb(weight_decay=decay, epsilon=1e-6)
        distance = np.abs(ours - run(kerass)).max()
        assert (distance < 1e-3) == equal, distance


def _matrices(optimizer, shape):
    layer = keras.layers.Layer(name="layer")
    kernel = layer.add_weight(shape=shape, initializer="ones", name="kernel")
    optimizer.build([kernel])
    generator = np.random.default_rng(0)
    for rate in (0.1, 0.1, 0.02):
        optimizer.learning_rate = rate
        gradient = generator.normal(size=(6, 4)).astype("f").reshape(shape)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    return keras.ops.convert_to_numpy(kernel).reshape(6, 4)


def test_muon_takes_a_convolution_as_keras_takes_a_matrix():
    choices = {"momentum": 0.9, "weight_decay": DECAY}
    kerass = _matrices(keras.optimizers.Muon(**choices), (6, 4))
    ours = optimizers.Muon(momentum=0.9, weight_decay_rate=DECAY)
    found = _matrices(ours, (1, 3, 2, 4))
    np.testing.assert_allclose(found, kerass, rtol=1e-4, atol=1e-5)
    # Keras leaves what is not a matrix to Adam.
    other = _matrices(keras.optimizers.Muon(**choices), (1, 3, 2, 4))
    assert np.abs(found - other).max() > 1e-2
    # Everything else is updated as by AdamW.
    np.testing.assert_array_equal(
        run(optimizers.Muon(weight_decay_rate=DECAY)),
        run(optimizers.AdamW(weight_decay_rate=DECAY)),
    )


@pytest.mark.parametrize("kind", ADAPTIVE.values())
def test_scopes_and_rates_of_parts_hold_for_each(kind):
    def decayed(**choices):
        return run(kind(weight_decay_rate=DECAY, **choices), "gamma")

    plain = run(kind(), "gamma")
    np.testing.assert_array_equal(decayed(decay="kernels"), plain)
    assert np.abs(decayed() - plain).max() > 1e-2
    tenth = decayed(rate_multipliers={"layer/": 0.1})
    rates = update_rules.RATES
    try:
        update_rules.RATES = [rate / 10 for rate in rates]
        np.testing.assert_allclose(tenth, decayed(), **TOLERANCE)
    finally:
        update_rules.RATES = rates


@pytest.mark.parametrize("kind", ADAPTIVE.values())
def test_config_round_trip(kind):
    optimizer = kind(momentum=0.8, clip_norm=2.0, decay="kernels")
    config = keras.optimizers.serialize(optimizer)
    copy = keras.optimizers.deserialize(config)
    assert copy.get_config() == optimizer.get_config()


def _clipped(strategy, optimizer_of):
    """Two weights, (1,) and (2,), after one step, on all devices."""
    with strategy.scope():
        layer = keras.layers.Layer(name="layer")
        weights = [
            layer.add_weight(shape=(n,), initializer="zeros", name=f"w{n}")
            for n in (1, 2)
        ]
        optimizer = optimizer_of()
        optimizer.build(weights)

    def replica_step():
        context = tf.distribute.get_replica_context()
        index = tf.cast(context.replica_id_in_sync_group, tf.float32)
        count = context.num_replicas_in_sync
        # The sum over devices is 3 and (4, 0), of norm 5.
        first = optimizer.scale_loss(tf.fill((1,), 3.0 / count))
        second = optimizer.scale_loss(tf.constant([4.0, 0.0]))
        second = second * (1.0 if count == 1 else index)
        optimizer.apply([first, second], weights)

    tf.function(lambda: strategy.run(replica_step))()
    return [*read(strategy, weights[0]), *read(strategy, weights[1])]


@pytest.mark.parametrize(
    "kind", [optimizers.SGD, loss_scale.LossScaledSGD], ids=["sgd", "scaled"]
)
@pytest.mark.parametrize("clip, part", [(0.0, 1), (1.0, 0.2), (10.0, 1)])
def test_the_norm_is_of_the_sum_of_all_devices(strategy, kind, clip, part):
    found = _clipped(
        strategy,
        lambda: kind(learning_rate=1.0, momentum=0.0, l2=0.0, clip_norm=clip),
    )
    expected = [-3 * part, -4 * part, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_kerass_own_clipping_is_of_each_device(strategy):
    """Why we have our own; if this fails on two devices, Keras is fixed."""
    found = _clipped(
        strategy, lambda: keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    )
    equal = np.allclose(found, [-0.6, -0.8, 0], rtol=1e-5)
    assert equal == (strategy.num_replicas_in_sync == 1)


@pytest.mark.parametrize("kind", ADAPTIVE.values())
def test_a_scaled_loss_changes_no_step(kind):
    choices = {"weight_decay_rate": DECAY, "momentum": MOMENTUM}
    scaled = loss_scale.scaled(kind)(initial_scale=8.0, **choices)
    layer = keras.layers.Layer(name="layer")
    variables = [
        layer.add_weight(shape=(5,), initializer="ones", name=f"k{i}")
        for i in range(2)
    ]
    plain = kind(**choices)
    for optimizer, variable in zip((scaled, plain), variables, strict=True):
        optimizer.build([variable])
        for gradient in update_rules.gradients()[:3]:
            gradient = optimizer.scale_loss(tf.constant(gradient))
            optimizer.apply([gradient], [variable])
    ours, theirs = (keras.ops.convert_to_numpy(v) for v in variables)
    np.testing.assert_array_equal(ours, theirs)
    before = ours
    bad = [tf.fill((5,), float("inf"))]
    scaled.apply(bad, [variables[0]])
    after = keras.ops.convert_to_numpy(variables[0])
    np.testing.assert_array_equal(before, after)
