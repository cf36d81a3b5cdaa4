"""Small networks, their cards and images, for the tests of exports."""

import dataclasses
import functools
import os

import keras
import numpy as np

import keras_resnet
from keras_resnet import files
from keras_resnet.data import datasets
from keras_resnet.data import pipeline as data_pipeline
from keras_resnet.export import pipeline
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.export.writers import manifest
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import artifact
from keras_resnet.labels.cards import Card
from keras_resnet.labels.cards import load_card
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
    """A network whose normalisations matter: their statistics are random."""
    keras.utils.set_random_seed(seed)
    choices = {"classes": 10, **NETWORKS.get(variant, {}), **choices}
    model = keras_resnet.build(variant, **choices)
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
    fields = {
        "class_names": NAMES,
        "image_size": size,
        "eval_resize": size + size // 8,
        "variant": model.name,
        "dataset": "digits",
    }
    return Card(**{**fields, **changes})


@functools.cache
def digits(num_images=16, split="validation"):
    """(images, labels) of the embedded digits, spread over a split."""
    return pipeline.read_images(datasets.load("digits", split), num_images)


def views(card, num_images=16, split="validation"):
    """What a network of a card sees of the digits: uint8 (N, S, S, 3)."""
    return evaluation_views(digits(num_images, split)[0], card)


def answers(model, views):
    """What a Keras model says: float32 (N, K)."""
    return np.asarray(model(views.astype(np.float32), training=False))


def export(
    model, directory, formats=("tflite_float32",), num_images=8, **options
):
    """Exports a model, verified by digits in this process.

    A process for each file would take five seconds, not one.
    """
    images, labels = digits(num_images)
    options = {
        "card": card_of(model),
        "images": images,
        "labels": labels,
        "predict": isolated.predict,
        **options,
    }
    return pipeline.export_all(model, directory, formats=formats, **options)


def content(directory):
    """{relative name: bytes, or where a link leads} of all that is there."""
    return {
        entry.relative_to(directory).as_posix(): (
            os.readlink(entry) if entry.is_symlink() else entry.read_bytes()
        )
        for entry in files.entries(directory)
    }


def sign_again(directory):
    """Makes the manifest of an export fit files that were changed."""
    artifacts = [
        dataclasses.replace(a, sha256=artifact.sha256(directory / a.path))
        for a in artifact.read_manifest(directory)
    ]
    manifest.write_manifest(directory, artifacts, load_card(directory))


def write_precisions(shared, folder, files):
    """Writes files, each PRECISION.tflite or .onnx, of a `serving.Network`."""
    for file in files:
        precision, suffix = file.split(".")
        export = {"tflite": export_tflite, "onnx": export_onnx}[suffix]
        export(
            shared,
            folder / file,
            card=shared.card,
            precision=precision,
            calibration=views(shared.card, 32, "train"),
        )


@functools.cache
def trained():
    """A small network that learns to read most digits in some seconds."""
    keras.utils.set_random_seed(0)
    choices = {**NETWORKS["resnet20"], "input_shape": (8, 8, 3)}
    model = keras_resnet.build("resnet20", classes=10, **choices)
    card, split = card_of(model), datasets.load("digits", "train")
    dataset = data_pipeline.eval_dataset(
        split, View.of(card), batch_size=split.num_examples
    )
    batch = next(dataset.as_numpy_iterator())
    model.compile(
        keras.optimizers.Adam(3e-3),
        "sparse_categorical_crossentropy",
        jit_compile=False,  # XLA's compiler takes longer than the steps
    )
    model.fit(batch["image"], batch["label"], 64, epochs=4, verbose=0)
    return model
