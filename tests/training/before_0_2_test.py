"""Files of version 0.1, before its modules moved: they load, resume, verify.

`before_0_2.zip` was written by version 0.1: `whole`, a run of 16 steps with its
model; `run`, the same run stopped by SIGTERM; `export`, the model's files.
"""

import dataclasses
import json
import zipfile

import keras
import numpy as np
import programs
import pytest
import tensorflow as tf

from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.export import pipeline
from keras_resnet.export.verification import verify
from keras_resnet.networks import specs
from keras_resnet.training import distribution
from keras_resnet.training import run


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(programs.SUPPORT / "before_0_2.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def model(old):
    return keras.models.load_model(old / "whole/model.keras")


def test_a_model_gives_the_answers_that_its_export_gave(old, model):
    """Version 0.1 measured the manifest's differences."""
    split = datasets.load("digits", "validation")
    images, _ = pipeline.read_images(split, 4)
    reports = verify.verify(old / "export", model, images)
    assert len(reports) == 2
    # Negative control: the files do not match other weights.
    weight = model.get_layer("logits").kernel
    kept = np.array(weight)
    weight.assign(-kept)
    with pytest.raises(verify.VerificationError):
        verify.verify(old / "export", model, images)
    weight.assign(kept)


def test_a_checkpoint_goes_on_to_the_same_end(old, model, monkeypatch):
    stem = dataclasses.replace(specs.STEMS["cifar"], convolutions=((4, 3, 1),))
    row = dataclasses.replace(
        specs.VARIANTS["resnet20"],
        stem="small",
        depths=(1, 1),
        filters=(4, 8),
        shortcut="dropout",
    )
    monkeypatch.setitem(specs.STEMS, "small", stem)
    monkeypatch.setitem(specs.VARIANTS, "small", row)
    fields = json.loads((old / "run/config.json").read_text())
    recipe = recipes.load("digits", fields["recipe"])
    # In this checkpoint Keras named the seeds, by a counter of the process.
    reader = tf.train.load_checkpoint(
        str(old / "run/checkpoints/step-00000005/variables")
    )
    names = " ".join(reader.get_variable_to_shape_map())
    assert "variables/seed_generator_" in names and "dropout" not in names
    run.train_and_evaluate(
        recipe,
        old / "run",
        strategy=distribution.make_strategy("one_device"),
        resume="must",
    )
    resumed = keras.models.load_model(old / "run/model.keras")
    for ours, theirs in zip(resumed.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
