"""Convolutions, pooling, normalisation and pixels as the authors have them."""

import keras
import numpy as np
import pytest
from equations import ATOL
from equations import CHANNELS
from equations import images
from equations import numpy_conv

from keras_resnet.errors import UsageError
from keras_resnet.networks import layers
from keras_resnet.networks import operations

# Convolutions.


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
    """Negative control: Keras pads (0, 1) at stride 2 where (1, 1) is meant."""
    x = images(2, size, size, CHANNELS)
    same = keras.layers.Conv2D(5, 3, 2, padding="same", use_bias=False)
    difference = np.abs(np.asarray(same(x)) - numpy_conv(x, same, 2)).max()
    assert (difference > 0.1) == differs


@pytest.mark.parametrize("size", [1, 8, 9])
def test_max_pooling_pads_one_pixel_of_minus_infinity(size):
    """As PyTorch does; zeros would exceed negative values."""
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
        UsageError,
        match="Unknown operation 'swish'.*conv, relu, pool, zero_pool, bn",
    ):
        operations.make_ops(("swish",), dtype="float32")


def test_batch_norm_moves_a_tenth_of_the_way():
    chain = layers.Chain(("bn",), name="final")
    x = images(64, 2, 2, CHANNELS) + 10
    chain(x, training=True)
    (bn,) = chain.layers
    np.testing.assert_allclose(
        bn.moving_mean, 0.1 * x.mean((0, 1, 2)), rtol=1e-4
    )


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
    before = np.asarray(model(pixels))
    layer.mean.assign((100.0, 100.0, 100.0))
    after = np.asarray(model(pixels))
    assert np.abs(before[..., 0]).min() > 0.1
    np.testing.assert_array_equal(after, np.zeros_like(after))
