"""Small networks, their cards and images, for the tests of exports."""

import functools

import keras
import numpy as np

import keras_resnet
from keras_resnet.data import datasets
from keras_resnet.data import pipeline as data_pipeline
from keras_resnet.export import pipeline
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

NAMES = tuple(str(digit) for digit in range(10))

# Every dimension changes somewhere; v2 leaves normalisations unfused.
NETWORKS = {
    "resnet20": {"depths": (1, 1, 1), "input_shape": (16, 16, 3)},
    "resnet50_v2": {
        "depths": (1, 1, 1, 1),
        "filters": (8, 16, 16, 16),
        "input_shape": (32, 32, 3),
    },
}


def network(variant="resnet20", seed=0, **choices):
    """A network whose normalisations do something: random statistics."""
    keras.utils.set_random_seed(seed)
    choices = {**NETWORKS.get(variant, {}), **choices}
    model = keras_resnet.build(variant, classes=10, **choices)
    randomize(model, seed)
    return model


def randomize(model, seed=0):
    """Gives every BN statistics, a scale and an offset; biases too."""
    rng = np.random.default_rng(seed)
    draws = {
        "gamma": lambda shape: rng.uniform(0.5, 1.5, shape),
        "beta": lambda shape: rng.normal(0, 0.3, shape),
        "moving_mean": lambda shape: rng.normal(0, 0.3, shape),
        "moving_variance": lambda shape: rng.uniform(0.5, 2, shape),
        "bias": lambda shape: rng.normal(0, 0.3, shape),
    }
    for weight in model.weights:
        if weight.name in draws:
            weight.assign(draws[weight.name](weight.shape))


def card_of(model, **changes):
    size = model.input_shape[1]
    fields = {"image_size": size, "eval_resize": size + size // 8}
    return Card(
        class_names=NAMES,
        variant=model.name,
        dataset="digits",
        **{**fields, **changes},
    )


@functools.cache
def digits(num_images=16, split="validation"):
    """(images, labels) of the embedded digits, spread over a split."""
    return pipeline.read_images(datasets.load("digits", split), num_images)


@functools.cache
def trained():
    """A small network that reads digits: most of them, after some seconds."""
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        "resnet20", depths=(1, 1, 1), classes=10, input_shape=(16, 16, 3)
    )
    card, split = card_of(model), datasets.load("digits", "train")
    views = data_pipeline.eval_dataset(
        split, View.of(card), batch_size=split.num_examples
    )
    batch = next(views.as_numpy_iterator())
    model.compile(
        keras.optimizers.Adam(3e-3),
        "sparse_categorical_crossentropy",
        jit_compile=False,  # XLA's compiler takes longer than the steps
    )
    model.fit(
        batch["image"],
        batch["label"],
        batch_size=64,
        epochs=8,
        verbose=0,
    )
    return model
