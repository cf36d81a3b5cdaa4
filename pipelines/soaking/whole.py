"""Whole files that cases are made from, and the small network in most."""

import pathlib
import shutil


def read(folder):
    """{name within the folder: bytes} of its files; no links, no pipes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def write(folder, contents):
    """Writes what `read` gives."""
    for name, data in contents.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def clear(folder):
    """Makes a folder, or empties it."""
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)


def network():
    """A network of 2,600 weights whose normalisations do something."""
    import keras
    import numpy as np

    import keras_resnet

    keras.utils.set_random_seed(0)
    net = keras_resnet.build(
        "resnet20",
        depths=(1, 1, 1),
        filters=(4, 4, 8),
        shortcut="B",
        classes=10,
        input_shape=(16, 16, 3),
    )
    rng = np.random.default_rng(0)
    for weight in net.weights:
        if not weight.path.startswith("pixels/"):
            # Positive, as variances must be, and all different.
            weight.assign(rng.uniform(0.1, 1, weight.shape))
    return net


def card():
    """The `Card` of the network."""
    from keras_resnet.labels import cards

    names = tuple("0123456789")
    sizes = {"image_size": 16, "eval_resize": 16}
    return cards.Card(
        class_names=names, variant="resnet20", dataset="digits", **sizes
    )


def pictures(count):
    """PNG files of noise, 8 x 8: list of bytes."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return [tf.io.encode_png(image).numpy() for image in pixels]
