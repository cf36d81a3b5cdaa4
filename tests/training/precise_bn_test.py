"""BN's statistics against those of NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from digit_runs import read

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.training import precise_bn

BATCHES, SIZE = 4, 12  # each replica sees a part of a batch
EPSILON = 1e-3


def _images():
    """Float32 (BATCHES * SIZE, 3); the means of the batches are far apart."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCHES, SIZE, 3)) * [1, 2, 3] + [50, 0, -5]
    images += rng.normal(size=(BATCHES, 1, 3)) * 2
    return images.reshape(-1, 3).astype("f")


def _model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.BatchNormalization(epsilon=EPSILON, momentum=0.9),
            keras.layers.Dense(2, kernel_initializer="he_normal"),
            keras.layers.BatchNormalization(epsilon=EPSILON, momentum=0.99),
        ]
    )


def _distributed(strategy):
    dataset = tf.data.Dataset.from_tensor_slices(_images())
    return strategy.experimental_distribute_dataset(
        dataset.batch(SIZE, drop_remainder=True)
    )


def _statistics(model):
    norms = (model.layers[0], model.layers[2])
    return [
        keras.ops.convert_to_numpy(variable)
        for norm in norms
        for variable in (norm.moving_mean, norm.moving_variance)
    ]


def _reference(model, size):
    """The statistics of both BN layers over all images, in float64."""
    images = _images().astype(np.float64)
    kernel = keras.ops.convert_to_numpy(model.layers[1].kernel)
    batches = images.reshape(-1, size, 3)
    normal = (batches - batches.mean(1, keepdims=True)) / np.sqrt(
        batches.var(1, keepdims=True) + EPSILON
    )
    hidden = (normal @ kernel).reshape(-1, 2)
    return [images.mean(0), images.var(0), hidden.mean(0), hidden.var(0)]


@pytest.mark.parametrize("parts", [1, 3])
def test_statistics_are_those_of_all_images_together(strategy, parts):
    with strategy.scope():
        model = _model()
    weights = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    replicas = strategy.num_replicas_in_sync
    count = precise_bn.recalibrate(
        model, _distributed(strategy), strategy=strategy, parts=parts
    )
    assert count == BATCHES * replicas * parts
    expected = _reference(model, SIZE // replicas // parts)
    for found, value in zip(_statistics(model), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=2e-5, atol=2e-6)
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(variable), value
        )
    for variable in model.non_trainable_variables:
        read(strategy, variable)


def test_the_spread_between_batches_counts():
    """Negative control: the mean of the batches' variances is much less."""
    images = _images().reshape(BATCHES, SIZE, 3)
    within = images.var(1).mean(0)
    assert (within[:2] < 0.8 * _images().var(0)[:2]).all()


def test_what_was_there_before_does_not_count():
    model = _model()
    results = []
    for value in (0.0, 1e3):
        for variable in model.non_trainable_variables:
            variable.assign(np.full(variable.shape, value))
        precise_bn.recalibrate(model, _images().reshape(BATCHES, SIZE, 3))
        results.append(_statistics(model))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_predicts_on_one_batch_as_it_trained_on_it():
    """One batch: the moving statistics become those of the batch itself."""
    model = keras_resnet.build(
        "resnet20", depths=(1, 1, 1), input_shape=(8, 8, 3)
    )
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), "uint8")
    expected = np.asarray(model(images, training=True))
    assert np.abs(model(images, training=False) - expected).max() > 1e-3
    for batch in ({"image": images}, (images, None), images):
        assert precise_bn.recalibrate(model, [batch]) == 1
        found = np.asarray(model(images, training=False))
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_frozen_layers_keep_theirs():
    model = _model()
    model.layers[0].trainable = False
    precise_bn.recalibrate(model, _images().reshape(BATCHES, SIZE, 3))
    mean, variance, hidden_mean, _ = _statistics(model)
    assert (mean == 0).all() and (variance == 1).all()
    assert (hidden_mean != 0).all()


def test_no_batches_are_refused():
    with pytest.raises(UsageError, match="at least one batch"):
        precise_bn.recalibrate(_model(), [])
