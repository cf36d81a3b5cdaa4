"""What a prompt and a notebook show of our objects."""

import dataclasses

import numpy as np

from keras_resnet import recipes
from keras_resnet.data.examples.splits import Split
from keras_resnet.inference.artifact import Artifact

RECIPE = recipes.load("digits", {"seed": 3})
SPLIT = Split(
    name="pets/train",
    class_names=("cat", "<dog>"),
    num_examples=3,
    read=None,
    describe=str,
    labels=np.array([0, 1, 1], np.int32),
)
ARTIFACT = Artifact(
    path="model.onnx",
    format="onnx",
    precision="float32",
    signature={},
    bytes=1_234_567,
    sha256="0" * 64,
)


def test_a_recipe_shows_what_it_changes_and_reads_back():
    assert eval(repr(RECIPE), {"Recipe": recipes.Recipe}) == RECIPE
    assert "seed=3" in repr(RECIPE) and "momentum" not in repr(RECIPE)
    assert repr(recipes.Recipe()) == "Recipe()"
    assert "<th>seed</th><td>3</td><td>Of the initial" in RECIPE._repr_html_()


def test_a_split_shows_its_classes_and_escapes_them():
    assert repr(SPLIT) == (
        "<Split pets/train: 3 examples of 2 classes: cat, <dog>>"
    )
    page = SPLIT._repr_html_()
    assert "<tr><th>&lt;dog&gt;</th><td>2</td></tr>" in page
    unknown = dataclasses.replace(SPLIT, labels=None)
    assert "<th>cat</th><td>?</td>" in unknown._repr_html_()


def test_an_artifact_shows_size_and_how_equal_it_is():
    assert repr(ARTIFACT) == "<Artifact model.onnx: onnx, float32, 1.23 MB>"
    proved = dataclasses.replace(ARTIFACT, max_abs_diff=2e-7, num_images=16)
    assert repr(proved).endswith(
        "2.0e-07 from the Keras model's probabilities on 16 images>"
    )
    assert "<td>1234567</td>" in ARTIFACT._repr_html_()
