"""The layers against the papers' equations, transcribed in NumPy.

The transcriptions work in float64 and share no code with the library: they
read the weights of a unit's sub-layers and do the rest themselves.
"""

import math

import keras
import numpy as np
import pytest

from keras_resnet.errors import UsageError
from keras_resnet.networks import layers
from keras_resnet.networks import operations
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


# The NumPy side.


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
    assert placement == "full_preact"
    p = relu(bn(1, x))
    return p, conv2(relu(bn(2, conv1(p)))), lambda total: total


def numpy_shortcut(shortcut, placement, x, p, at, strides, filters):
    """h without its scale: x, zeros appended to p, or a projection of p."""
    agrees = strides == 1 and x.shape[-1] == filters
    always = shortcut in ("C", "conv1x1")
    if always or (shortcut == "B" and not agrees):
        h = numpy_conv(p, at["shortcut_conv"], strides)
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


every_placement = pytest.mark.parametrize("placement", specs.PLACEMENTS)
every_shortcut = pytest.mark.parametrize("shortcut", specs.SHORTCUTS)


# Convolutions.


@every_placement
@pytest.mark.parametrize("shortcut", ["B", "exclusive_gating"])
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


@pytest.mark.parametrize("size", [6, 7, 8, 9])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("strides", [1, 2])
def test_convolutions_pad_half_the_kernel_on_both_sides(
    size, kernel_size, strides
):
    """As Caffe and PyTorch do, for even and odd sizes."""
    x = images(2, size, size, CHANNELS)
    chain = operations.conv2d(5, kernel_size, strides, name="conv1")
    y = x
    for layer in chain:
        y = layer(y)
    expected = numpy_conv(x, chain[-1], strides)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, atol=ATOL)


@pytest.mark.parametrize("size, differs", [(8, True), (9, False)])
def test_keras_same_padding_would_not_do_at_even_sizes(size, differs):
    """The negative control: (0, 1) at stride 2 where (1, 1) is meant."""
    x = images(2, size, size, CHANNELS)
    same = keras.layers.Conv2D(5, 3, 2, padding="same", use_bias=False)
    difference = np.abs(np.asarray(same(x)) - numpy_conv(x, same, 2)).max()
    assert (difference > 0.1) == differs


@pytest.mark.parametrize("size", [1, 8, 9])
def test_max_pooling_pads_one_pixel_of_minus_infinity(size):
    """As PyTorch does; zeros would exceed what is negative."""
    x = images(2, size, size, CHANNELS) - 5
    assert (x < 0).any()
    pool = layers.Chain(("pool",), name="stem")
    padded = np.pad(
        x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf
    )
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (3, 3), axis=(1, 2)
    )
    expected = windows[:, ::2, ::2].max((-1, -2))
    np.testing.assert_array_equal(pool(x), expected)
    assert pool.compute_output_shape(x.shape) == expected.shape


def test_unknown_ops_are_named():
    with pytest.raises(
        UsageError, match="Unknown operation 'swish'.*conv, relu, pool, bn"
    ):
        operations.make_ops(("swish",), dtype="float32")


# What a unit is made of.


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


# What a unit computes.


def numpy_unit(unit, placement, shortcut, x, strides, filters):
    """x' = f(h(p) + F(p)), P2 eq. 1 and 2."""
    at = leaves(unit)
    p, branch, f = fig4(placement, x.astype("float64"), at, strides)
    h = numpy_shortcut(shortcut, placement, x, p, at, strides, filters)
    gate = None
    if "gate" in at:
        gate = sigmoid(numpy_conv(p, at["gate"], strides))
    return f(numpy_sum(shortcut, h, branch, gate))


@every_placement
@every_shortcut
@pytest.mark.parametrize("strides, filters", [(1, 4), (2, 4), (2, 6), (1, 6)])
def test_a_unit_is_the_papers_equation(placement, shortcut, strides, filters):
    unit = random_unit(placement, shortcut, strides=strides, filters=filters)
    x = images(2, 6, 5, CHANNELS)
    expected = numpy_unit(unit, placement, shortcut, x, strides, filters)
    y = unit(x)
    np.testing.assert_allclose(y, expected, atol=ATOL)
    assert tuple(y.shape) == unit.compute_output_shape(x.shape)


@pytest.mark.parametrize("wrong", specs.PLACEMENTS)
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


def test_batch_norm_moves_a_tenth_of_the_way():
    chain = layers.Chain(("bn",), name="final")
    x = images(64, 2, 2, CHANNELS) + 10
    chain(x, training=True)
    (bn,) = chain.layers
    np.testing.assert_allclose(
        bn.moving_mean, 0.1 * x.mean((0, 1, 2)), rtol=1e-4
    )


@every_placement
@every_shortcut
def test_a_unit_comes_back_from_its_config(placement, shortcut):
    unit = random_unit(placement, shortcut, strides=2)
    unit.remat = True
    twin = layers.ResidualUnit.from_config(unit.get_config())
    assert twin.remat
    assert twin.get_config() == unit.get_config()
    assert twin.placement == specs.PLACEMENTS[placement]
    assert twin.shortcut == specs.SHORTCUTS[shortcut]
    assert twin.block == specs.BLOCKS["basic"]


# Pixels.

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)


def test_pixels_are_normalised_by_channel():
    pixels = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    layer = operations.PixelNormalization(MEAN, STD)
    expected = (pixels - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(layer(pixels.astype("float32")), expected, 1e-5)


def test_uint8_and_float_pixels_are_the_same_image():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), "uint8")
    layer = operations.PixelNormalization(MEAN, STD)
    floats = layer(pixels.astype("float32"))
    assert keras.backend.standardize_dtype(floats.dtype) == "float32"
    np.testing.assert_array_equal(layer(pixels), floats)


def test_assigning_the_mean_has_effect():
    """`keras.layers.Normalization` ignores its weights after the build."""
    inputs = keras.Input((4, 4, 3))
    layer = operations.PixelNormalization(MEAN, STD)
    model = keras.Model(inputs, layer(inputs))
    pixels = np.full((1, 4, 4, 3), 100, "float32")
    before = model.predict(pixels, verbose=0)
    layer.mean.assign((100.0, 100.0, 100.0))
    after = model.predict(pixels, verbose=0)
    assert np.abs(before[..., 0]).min() > 0.1
    np.testing.assert_array_equal(after, np.zeros_like(after))
