"""Small networks of random weights, their files, and what is refused."""

import functools

import keras
import numpy as np
import peers
import pytest
import safetensors.numpy

import keras_resnet

SMALL = {
    "depths": (1, 1, 1, 1),
    "filters": (4, 8, 16, 32),
    "classes": 5,
    "input_shape": (32, 32, 3),
}


def pixels(size):
    """Two images of large patches: all noise looks alike once it is pooled."""
    patches = np.random.default_rng(size).integers(0, 256, (2, 4, 4, 3))
    patches[0] //= 4  # and one of them dark
    side = -(-size // 4)
    images = patches.repeat(side, 1).repeat(side, 2)[:, :size, :size]
    return images.astype("uint8")


def small_model(variant="resnet50_v1_5", sizes=SMALL, **choices):
    """A network that gives logits; its pixel constants are not random."""
    choices = {"classifier_activation": None, **sizes, **choices}
    model = keras_resnet.build(variant, **choices)
    constants = [np.asarray(w) for w in model.get_layer("pixels").weights]
    peers.fill_keras(model)
    model.get_layer("pixels").set_weights(constants)
    return model


@functools.cache
def refused_model(variant="resnet50_v1_5", **choices):
    """The same small model each time; tests read it and do not change it."""
    return small_model(variant, **choices)


def arrays(model):
    """{path: array} of all weights, each path once."""
    found = {
        weight.path: keras.ops.convert_to_numpy(weight).copy()
        for weight in model.weights
    }
    assert len(found) == len(model.weights), "two weights of one path"
    return found


def assert_equal_weights(model, twin):
    ours, theirs = arrays(model), arrays(twin)
    assert list(ours) == list(theirs)
    for path, value in ours.items():
        np.testing.assert_array_equal(value, theirs[path], path)


def assert_refused(path, message, model=None, **choices):
    """Asserts that a file is refused and leaves the model as it was."""
    model = refused_model() if model is None else model
    before = model.get_weights()
    with pytest.raises(keras_resnet.UsageError, match=message) as caught:
        keras_resnet.load_weights(model, path, **choices)
    for value, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)
    return str(caught.value)


def rewrite(path, change, metadata=None):
    """Changes the tensors of a safetensors file.

    `change({name: array})` changes them in place or returns another dict.
    """
    tensors = {
        name: array.copy()
        for name, array in safetensors.numpy.load_file(path).items()
    }
    changed = change(tensors)
    changed = changed if isinstance(changed, dict) else tensors
    contiguous = {n: np.ascontiguousarray(a) for n, a in changed.items()}
    safetensors.numpy.save_file(contiguous, path, metadata)


def prefixed(path, prefix, **others):
    """Puts a prefix before each name of a file, and adds other tensors."""
    rewrite(path, lambda t: {f"{prefix}{n}": a for n, a in t.items()} | others)
