"""Residual units against the papers' equations."""

import math

import keras
import numpy as np
import pytest
from equations import ATOL
from equations import CHANNELS
from equations import images
from equations import leaves
from equations import make_unit
from equations import numpy_bn
from equations import numpy_conv
from equations import numpy_unit
from equations import random_unit
from equations import relu

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.networks import layers
from keras_resnet.networks import specs
from keras_resnet.networks import stochastic_depth

every_placement = pytest.mark.parametrize("placement", specs.PLACEMENTS)


# The placement decides the BN of a projection, and what a projection and a gate
# read. Every other shortcut is tested with one placement, where that is not x.
PAIRS = [
    (placement, shortcut)
    for shortcut in specs.SHORTCUTS
    for placement in (
        specs.PLACEMENTS
        if shortcut in ("B", "exclusive_gating")
        else ["full_preact"]
    )
]
every_pair = pytest.mark.parametrize("placement, shortcut", PAIRS)


@pytest.mark.parametrize(
    "placement, shortcut",
    [("original", "B"), ("full_preact", "exclusive_gating")],
)
def test_every_kernel_of_a_unit_starts_at_he_fan_out(placement, shortcut):
    """He 2015b: std sqrt(2 / (k k filters)); fb.resnet.torch: plain normal."""
    keras.utils.set_random_seed(0)
    unit = make_unit(placement, shortcut, strides=2, filters=256)
    kernels = [w for w in unit.weights if w.name == "kernel"]
    assert len(kernels) == 3
    for kernel in kernels:
        size, _, _, filters = kernel.shape
        expected = math.sqrt(2 / (size * size * filters))
        assert np.std(kernel) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(
    "placement, names",
    [
        ("original", "conv1 bn1 relu1 conv2 bn2 relu2 conv3 bn3 relu3"),
        ("full_preact", "bn1 relu1 conv1 bn2 relu2 conv2 bn3 relu3 conv3"),
        ("bn_after_add", "conv1 bn1 relu1 conv2 bn2 relu2 conv3 bn3 relu3"),
    ],
)
def test_ops_are_numbered_in_reading_order(placement, names):
    """v1 gives torchvision's conv1 bn1 ..., v2 timm's norm1 conv1 ..."""
    unit = random_unit(placement, block="bottleneck", filters=1)
    chain = [*unit.before, *unit.branch, *unit.after_add]
    assert " ".join(layer.name for layer in chain) == names


@pytest.mark.parametrize(
    "shortcut, bias",
    [
        ("exclusive_gating", -6),
        ("exclusive_gating_bias_0", 0),
        ("exclusive_gating_bias_minus_5", -5),
        ("exclusive_gating_bias_minus_7", -7),
        ("shortcut_only_gating", -6),
        ("shortcut_only_gating_bias_0", 0),
    ],
)
def test_gates_start_at_the_bias_of_table_1(shortcut, bias):
    gate = leaves(make_unit(shortcut=shortcut))["gate"]
    assert gate.kernel_size == (1, 1)
    np.testing.assert_array_equal(gate.bias, np.full(CHANNELS, bias))


@every_pair
@pytest.mark.parametrize("strides, filters", [(1, 4), (2, 4), (2, 6), (1, 6)])
def test_a_unit_is_the_papers_equation(placement, shortcut, strides, filters):
    unit = random_unit(placement, shortcut, strides=strides, filters=filters)
    x = images(2, 6, 5, CHANNELS)
    expected = numpy_unit(unit, placement, shortcut, x, strides, filters)
    y = unit(x)
    np.testing.assert_allclose(y, expected, atol=ATOL)
    assert tuple(y.shape) == unit.compute_output_shape(x.shape)


# `full_preact_bias` needs a layer that the unit does not have.
@pytest.mark.parametrize(
    "wrong", sorted(specs.PLACEMENTS.keys() - {"full_preact_bias"})
)
def test_the_five_placements_are_five_functions(wrong):
    """The negative control: no equation fits another placement's unit."""
    unit = random_unit("original")
    x = images(2, 6, 5, CHANNELS)
    expected = numpy_unit(unit, wrong, "A", x, 1, 4)
    difference = np.abs(np.asarray(unit(x)) - expected).max()
    assert (difference > 0.1) == (wrong != "original")


@pytest.mark.parametrize("block", ["bottleneck", "bottleneck_v1_5"])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_bottleneck_is_1x1_3x3_1x1(block, strides):
    unit = random_unit("original", "B", block=block, strides=strides, filters=2)
    x = images(2, 6, 5, CHANNELS)
    at = leaves(unit)
    first, second = (strides, 1) if block == "bottleneck" else (1, strides)
    y = relu(numpy_bn(numpy_conv(x, at["conv1"], first), at["bn1"]))
    y = relu(numpy_bn(numpy_conv(y, at["conv2"], second), at["bn2"]))
    y = numpy_bn(numpy_conv(y, at["conv3"]), at["bn3"])
    h = numpy_bn(numpy_conv(x, at["shortcut_conv"], strides), at["shortcut_bn"])
    np.testing.assert_allclose(unit(x), relu(y + h), atol=ATOL)


def test_a_dropout_shortcut_drops_half_and_keeps_half_the_expectation():
    """P2 sec. 3.1: "statistically imposes a scale of lambda" of 0.5."""
    keras.utils.set_random_seed(0)
    unit = random_unit("full_preact", "dropout")
    unit.branch[-1].kernel.assign(np.zeros(unit.branch[-1].kernel.shape))
    x = np.ones((8, 16, 16, CHANNELS), "float32")
    np.testing.assert_allclose(unit(x, training=False), 0.5 * x)
    dropped = np.asarray(unit(x, training=True))
    assert set(np.unique(dropped)) == {0.0, 1.0}
    assert dropped.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5])
def test_stochastic_depth_leaves_out_whole_branches_of_some_examples(rate):
    """As torchvision's "row" mode: x + F, with F times 0 or 1 / (1 - rate)."""
    unit = random_unit("full_preact")
    x = images(400, 2, 2, CHANNELS)
    numbers = np.arange(400)
    batch = {"seed": np.stack([np.full(400, 3), numbers], 1).astype("int32")}
    with stochastic_depth.off():
        branch = np.asarray(unit(x, training=True)) - x
    unit.stochastic_depth = rate
    with stochastic_depth.seeded(batch):
        found, again = (np.asarray(unit(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(found, again)
    kept = ((found - x) * branch).sum((1, 2, 3)) / (branch**2).sum((1, 2, 3))
    kept = np.round(kept.astype("float64"), 3)
    assert set(kept) - {0.0} == {round(1 / (1 - rate), 3)}
    want = kept[:, None, None, None] * branch
    np.testing.assert_allclose(found - x, want, rtol=0.01, atol=1e-4)
    deviation = math.sqrt(rate * (1 - rate) / 400)
    assert abs(np.mean(kept == 0) - rate) <= 4 * deviation
    # At inference every example has the whole branch.
    plain = np.asarray(unit(x, training=False))
    unit.stochastic_depth = 0.0
    np.testing.assert_array_equal(unit(x, training=False), plain)


def test_the_units_of_a_network_are_passed_by_more_and_more():
    """Huang et al. 2016, eq. 4; each unit has its own draws."""
    model = keras_resnet.build(
        "resnet20",
        depths=(2, 1, 1),
        stochastic_depth=0.4,
        input_shape=(8, 8, 3),
    )
    rates = [
        layer.stochastic_depth
        for layer in model.layers
        if isinstance(layer, layers.ResidualUnit)
    ]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, 0.4])
    seeds = np.stack([np.zeros(500), np.arange(500)], 1).astype("int32")
    ours, others, of_other_seed = (
        np.asarray(stochastic_depth.uniform(*arguments))
        for arguments in ((seeds, 1), (seeds, 2), (seeds + [[1, 0]], 1))
    )
    for other in (others, of_other_seed, np.roll(ours, 1)):
        assert abs(np.corrcoef(ours, other)[0, 1]) < 4 / math.sqrt(500)


ONE_UNIT = {"depths": (1,), "filters": (16,)}


@pytest.mark.parametrize("zero_gamma", [False, True])
def test_with_zero_gamma_a_unit_begins_as_its_shortcut(zero_gamma):
    """Goyal et al. 2017, sec. 5.1."""
    model = keras_resnet.build(
        "resnet20", zero_gamma=zero_gamma, shortcut="B", **ONE_UNIT
    )
    unit = model.get_layer("stage1_unit1")
    x = relu(images(2, 6, 5, 16)).astype("float32")
    assert np.array_equal(unit(x, training=True), x) == zero_gamma
    first, last = (set(np.asarray(n.gamma)) for n in unit.branch[1::3])
    assert (first, last) == ({1.0}, {0.0 if zero_gamma else 1.0})


@pytest.mark.parametrize("placement", [*specs.PLACEMENTS][1:])
def test_zero_gamma_needs_a_bn_that_ends_the_branch(placement):
    def make():
        return keras_resnet.build(
            "resnet20", placement=placement, zero_gamma=True, **ONE_UNIT
        )

    if placement == "relu_preact":
        make()
        return
    with pytest.raises(UsageError, match="a branch that ends in BN"):
        make()


@every_placement
def test_training_reaches_every_batch_norm(placement):
    """moving <- 0.9 moving + 0.1 batch: momentum is Keras', not PyTorch's."""
    unit = random_unit(placement, "B", strides=2)
    means = [w for w in unit.weights if w.name == "moving_mean"]
    before = [np.asarray(w).copy() for w in means]
    unit(images(2, 6, 6, CHANNELS), training=False)
    for old, weight in zip(before, means, strict=True):
        np.testing.assert_array_equal(weight, old)
    unit(images(2, 6, 6, CHANNELS), training=True)
    for old, weight in zip(before, means, strict=True):
        assert np.abs(np.asarray(weight) - old).min() > 0


@every_pair
def test_a_unit_comes_back_from_its_config(placement, shortcut):
    unit = random_unit(placement, shortcut, strides=2)
    unit.remat = True
    twin = layers.ResidualUnit.from_config(unit.get_config())
    assert twin.remat
    assert twin.get_config() == unit.get_config()
    assert twin.placement == specs.PLACEMENTS[placement]
    assert twin.shortcut == specs.SHORTCUTS[shortcut]
    assert twin.block == specs.BLOCKS["basic"]
