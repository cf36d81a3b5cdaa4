"""He's initialisation: the distribution, and what decides the numbers."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.networks import initializers

SHAPE = (3, 3, 128, 256)  # 294,912 numbers, in two chunks


def _values(initializer, shape=SHAPE):
    return keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))


def _normal(count, seed):
    values = np.empty(count, np.float32)
    initializers.Normals(seed).read(values, scale=1)
    return values


def test_the_standard_deviation_is_of_the_fan_out():
    values = _values(initializers.HeNormal(seed=1))
    expected = np.sqrt(2 / (3 * 3 * 256))
    assert values.shape == SHAPE and values.dtype == np.float32
    # The standard error of a standard deviation is sigma / sqrt(2 n).
    assert values.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * 294_912))
    assert abs(values.mean()) < 5 * expected / np.sqrt(294_912)


def test_the_normal_is_not_truncated_and_has_the_normal_moments():
    z = _normal(1_000_000, seed=2).astype("float64")
    assert np.abs(z).max() > 4.2  # 27 in a million are larger
    for power, moment in ((3, 0), (4, 3), (6, 15)):
        spread = np.std(z**power) / 1_000
        assert np.mean(z**power) == pytest.approx(moment, abs=5 * spread)
    # Beyond 2 and 3 sigma: 45,500 and 2,700 of a million.
    for bound, share in ((2, 0.0455), (3, 0.0027)):
        spread = np.sqrt(share / 1_000_000)
        assert np.mean(np.abs(z) > bound) == pytest.approx(
            share, abs=5 * spread
        )


def test_the_numbers_do_not_depend_on_the_number_of_threads(monkeypatch):
    many = _normal(1_500_000, seed=3)
    with initializers.concurrent.futures.ThreadPoolExecutor(1) as one:
        monkeypatch.setattr(initializers, "_threads", lambda: one)
        np.testing.assert_array_equal(_normal(1_500_000, seed=3), many)


def test_numbers_follow_each_other_however_they_are_read():
    count = 2 * initializers._CHUNK + 1_000
    whole, parts = _normal(count, seed=8), np.empty(count, np.float32)
    numbers = initializers.Normals(8)
    for part in np.split(parts, [7, 1_000, initializers._CHUNK + 3]):
        numbers.read(part, scale=0.5)
    np.testing.assert_array_equal(parts, whole * np.float32(0.5))
    limited = np.empty(count, np.float32)
    initializers.Normals(8, count).read(limited, scale=1)
    np.testing.assert_array_equal(limited, whole)


def test_kernels_made_within_drawing_ahead_follow_from_keras_seed():
    def kernels():
        keras.utils.set_random_seed(9)
        with initializers.drawing_ahead():
            return [_values(initializers.HeNormal()) for _ in range(3)]

    first, again = kernels(), kernels()
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).mean() > 0.99
    seeded = initializers.HeNormal(seed=7)
    with initializers.drawing_ahead():
        within = _values(seeded)
    np.testing.assert_array_equal(within, _values(seeded))


def test_chunks_calls_and_kernels_differ():
    z = _normal(3 * initializers._CHUNK, seed=4)
    a, b, c = z.reshape(3, -1)
    for left, right in ((a, b), (b, c), (a, c)):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(len(a))
    anew = initializers.HeNormal()
    assert (_values(anew) != _values(anew)).mean() > 0.99
    model = keras_resnet.build("resnet20")
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    first = [
        float(np.asarray(v).flat[0] / np.asarray(v).std()) for v in kernels
    ]
    assert len(set(first)) == len(first)


def test_keras_seed_decides_the_network():
    networks = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        networks.append(keras_resnet.build("resnet20").get_weights())
    for a, b, c in zip(*networks, strict=True):
        np.testing.assert_array_equal(a, b)
        if a.ndim == 4:
            assert (a != c).mean() > 0.99


def test_a_seed_is_kept_in_the_configuration():
    seeded = initializers.HeNormal(seed=7)
    again = initializers.HeNormal.from_config(seeded.get_config())
    np.testing.assert_array_equal(_values(seeded), _values(again))
