"""The small network, its card and its pictures, of which files are made."""


def model(seed=0):
    """A network of 2,600 weights whose normalisations do something."""
    import keras
    import numpy as np

    import keras_resnet

    keras.utils.set_random_seed(seed)
    net = keras_resnet.build(
        "resnet20",
        depths=(1, 1, 1),
        filters=(4, 4, 8),
        shortcut="B",
        classes=10,
        input_shape=(16, 16, 3),
    )
    rng = np.random.default_rng(seed)
    for weight in net.weights:
        if not weight.path.startswith("pixels/"):
            # All positive: variances are, and all of them different.
            weight.assign(rng.uniform(0.1, 1, weight.shape))
    return net


def card():
    """The `Card` of the network."""
    from keras_resnet.labels import cards

    return cards.Card(
        class_names=tuple("0123456789"),
        image_size=16,
        eval_resize=16,
        variant="resnet20",
        dataset="digits",
    )


def pictures(count):
    """PNG files of noise, 8 x 8: list of bytes."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return [tf.io.encode_png(image).numpy() for image in pixels]
