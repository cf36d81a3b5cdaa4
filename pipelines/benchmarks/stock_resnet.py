"""P1's networks for small images, from Keras' own layers, trained by `fit`."""

import keras
from benchmarks import steps


def fit(image_size, batch_size, *, depth, dtype="float32"):
    """A contender: what a user of Keras writes without this library.

    Args:
        image_size, batch_size: ints.
        depth: 6 n + 2 layers, n units a stage.
        dtype: Keras' dtype policy of the whole process.
    """
    keras.config.set_dtype_policy(dtype)
    made = steps.pixels(image_size, batch_size)
    return steps.fitted(lambda: network(image_size, depth), *made)


def network(image_size, depth):
    """A `keras.Model` of ResNet-`depth` with shortcuts of option B."""
    image = keras.Input((image_size, image_size, 3))
    x = _conv(image, 16)
    for filters in (16, 32, 64):
        for number in range((depth - 2) // 6):
            strides = 2 if number == 0 and filters > 16 else 1
            y = _conv(x, filters, strides)
            y = _conv(y, filters, activation=False)
            if strides > 1:
                x = _conv(x, filters, strides, size=1, activation=False)
            x = keras.layers.ReLU()(keras.layers.add([x, y]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(steps.CLASSES)(x)
    x = keras.layers.Activation("softmax", dtype="float32")(x)
    return keras.Model(image, x)


def _conv(x, filters, strides=1, *, size=3, activation=True):
    x = keras.layers.Conv2D(
        filters, size, strides, padding="same", use_bias=False
    )(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if activation else x
