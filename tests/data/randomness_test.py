"""Random numbers: the published generator, uniform, independent."""

import numpy as np
import tensorflow as tf

from keras_resnet.data.pixels import randomness


def _reference(seed, n):
    """SplitMix64 in Python's integers, from its paper."""
    mask = 2**64 - 1

    def mix(x):
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    key = mix(seed & mask)
    bits = [mix((key + i) & mask) >> 41 for i in range(n)]
    return np.array([(b + 0.5) / 2**23 for b in bits], np.float32)


def test_numbers_are_those_of_splitmix64():
    # The first outputs of the generator from seed 0, as its authors list them:
    # 0xE220A8397B1DCDAF is the hash of 0.
    mixed = randomness._splitmix64(tf.constant([0], tf.uint64))
    assert int(mixed[0]) == 0xE220A8397B1DCDAF
    seeds = [0, 1, -1, 123456789012345]
    ours = randomness.uniform(tf.constant(seeds, tf.int64), 7).numpy()
    for seed, row in zip(seeds, ours, strict=True):
        np.testing.assert_array_equal(row, _reference(seed, 7))


def test_numbers_are_uniform_and_never_0_or_1():
    numbers = randomness.uniform(tf.range(20_000, dtype=tf.int64), 5).numpy()
    assert 0 < numbers.min() and numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    # Chi-square with 99 degrees of freedom: above 149 once in 1,000.
    assert ((counts - 1000) ** 2 / 1000).sum() < 149
    correlation = np.corrcoef(numbers.T) - np.eye(5)
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)
    # Neighbouring seeds are independent too.
    lag = np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]
    assert abs(lag) < 5 / np.sqrt(20_000)


def test_the_greatest_number_stays_below_one_and_its_integer_below_n():
    greatest = tf.constant(1 - 2.0**-24, tf.float32)
    assert float(greatest) < 1
    for n in (1, 2, 3, 224, 225, 480, 65_535, 2**22):
        assert int(randomness.integer(greatest, n)) == n - 1


def test_normal_numbers_have_the_moments_of_a_normal_distribution():
    uniform = randomness.uniform(tf.range(50_000, dtype=tf.int64), 1)
    x = randomness.normal(uniform).numpy()
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    assert abs(np.mean(np.abs(x) < 1.959964) - 0.95) < 0.005
