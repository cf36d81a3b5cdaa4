"""Random colours against Pillow and by their statistics."""

import itertools

import numpy as np
import tensorflow as tf
from photographs import NAMES
from photographs import photograph
from PIL import Image
from PIL import ImageEnhance

from keras_resnet.data.pixels import colors
from keras_resnet.data.pixels import randomness

DEVIATIONS = 255 * 0.1 * np.array(colors.PCA_EIGENVALUES)
VECTORS = np.array(colors.PCA_VECTORS)


def _draws(n, width):
    return randomness.uniform(tf.range(n, dtype=tf.int64), width)


def test_pca_shifts_all_pixels_alike_with_alexnets_covariance():
    grey = tf.fill((2, 3, 3), 128.0)
    shifts = tf.function(
        lambda draws: tf.map_fn(lambda d: colors.pca(grey, d) - grey, draws)
    )
    shift = shifts(_draws(4000, colors.PCA_DRAWS)).numpy()
    np.testing.assert_array_equal(shift, np.broadcast_to(
        shift[:, :1, :1], shift.shape))  # fmt: skip
    expected = VECTORS @ np.diag(DEVIATIONS**2) @ VECTORS.T
    np.testing.assert_allclose(np.cov(shift[:, 0, 0].T), expected, rtol=0.1)
    np.testing.assert_allclose(VECTORS @ VECTORS.T, np.eye(3), atol=2e-3)


def test_pca_is_the_sum_of_components_and_clipped_on_a_photograph():
    image = photograph()[:50, :70].astype(np.float32)
    for draws in _draws(5, colors.PCA_DRAWS):
        alpha = 0.1 * randomness.normal(draws).numpy()
        shift = 255 * (VECTORS @ (alpha * np.array(colors.PCA_EIGENVALUES)))
        expected = np.clip(image + shift, 0, 255)
        np.testing.assert_allclose(
            colors.pca(image, draws), expected, atol=1e-3
        )


def _pillow(image, weights, order):
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind in order:
        image = kinds[kind](image).enhance(float(weights[kind]))
    return np.asarray(image).astype(int)


def test_jitter_is_pillows_brightness_contrast_and_color_in_each_order():
    orders = list(itertools.permutations(range(3)))
    for name in NAMES:
        image = photograph(name)[100:180, 200:300]
        for number, draws in enumerate(_draws(12, colors.JITTER_DRAWS).numpy()):
            number %= 6
            draws[3] = (number + 0.5) / 6
            ours = colors.jitter(tf.cast(image, tf.float32), draws)
            ours = colors.to_uint8(ours).numpy().astype(int)
            weights = 1 + 0.4 * (2 * draws[:3] - 1)
            theirs = _pillow(Image.fromarray(image), weights, orders[number])
            # Pillow cuts off the fraction after each step.
            assert np.abs(ours - theirs).max() <= 5
            assert np.abs(ours - theirs).mean() < 2
            other = _pillow(Image.fromarray(image), weights[::-1], (2, 1, 0))
            assert np.abs(ours - other).mean() > 3


def test_jitter_takes_every_order_equally_often():
    draws = _draws(6000, colors.JITTER_DRAWS)[:, 3]
    counts = np.bincount(randomness.integer(draws, 6), minlength=6)
    # Chi-square with 5 degrees of freedom: above 20.5 once in 1,000.
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


def test_rounding_goes_to_the_nearest_integer():
    pixels = tf.constant([0.0, 0.49, 0.5, 1.2, 254.6, 255.0])
    assert colors.to_uint8(pixels).numpy().tolist() == [0, 0, 1, 1, 255, 255]
