"""Classes weigh what the recipe says, on TensorFlow and JAX alike."""

import json
import types

import keras
import numpy as np
import pytest
import tiny_runs

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.training import losses
from keras_resnet.training import run

SPLIT = types.SimpleNamespace(
    class_names=("cat", "dog", "a=b"),
    labels=np.array([0] * 6 + [1] * 3 + [2], np.int32),
    multi_label=False,
)


@pytest.mark.parametrize(
    "choice, weights",
    [
        # Each class has a third of the loss of the ten examples.
        ("balanced", [10 / 18, 10 / 9, 10 / 3]),
        ("cat=2,dog=0.5", [2.0, 0.5, 1.0]),
        ("a=b=0", [1.0, 1.0, 0.0]),
    ],
)
def test_weights_are_what_the_words_say(choice, weights):
    found = losses.class_weights(choice, SPLIT)
    np.testing.assert_allclose(found, weights, rtol=1e-12)
    if choice == "balanced":
        assert found[SPLIT.labels].sum() == pytest.approx(10)


@pytest.mark.parametrize(
    "choice, message",
    [
        ("cow=1", "Unknown class 'cow'"),
        ("cat", "Unknown class ''"),
        ("cat=x", "must be a number >= 0, .*Received: 'cat=x'"),
        ("cat=-1", "Received: 'cat=-1'"),
        ("cat=inf", "Received: 'cat=inf'"),
        ("cat=nan", "Received: 'cat=nan'"),
    ],
)
def test_what_is_no_table_is_refused(choice, message):
    with pytest.raises(UsageError, match=message):
        losses.class_weights(choice, SPLIT)


def test_labels_that_nobody_knows_cannot_be_balanced():
    unknown = types.SimpleNamespace(
        class_names=("cat", "dog"), labels=None, multi_label=False
    )
    with pytest.raises(UsageError, match="only reading all of these data"):
        losses.class_weights("balanced", unknown)
    assert losses.class_weights("cat=3", unknown).tolist() == [3.0, 1.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_an_example_is_multiplied(smoothing):
    logits = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    batch = {"label": SPLIT.labels}
    plain = recipes.load("digits", {"label_smoothing": smoothing})
    weighted = recipes.load(plain, {"class_weights": "cat=2,dog=0.5"})
    one, other = (
        keras.ops.convert_to_numpy(losses.of_recipe(r, SPLIT)(logits, batch))
        for r in (plain, weighted)
    )
    factors = np.array([2.0, 0.5, 1.0])[SPLIT.labels]
    np.testing.assert_allclose(other, factors * one, rtol=1e-6)


RECIPE = recipes.load(
    "digits",
    {
        **tiny_runs.TINY,
        "depths": (1,),
        "filters": (16,),
        "steps": 1,
        "boundaries": (),
        "eval_every_steps": 1,
    },
)


def _train(workdir, **choices):
    recipe = recipes.load(RECIPE, choices)
    run.train_and_evaluate(recipe, workdir)
    model = keras.saving.load_model(workdir / "model.keras")
    (line,) = (workdir / "metrics.jsonl").read_text().splitlines()
    return model.get_weights(), json.loads(line)


@pytest.mark.usefixtures("no_curves")
def test_training_minimises_it_and_reports_all_alike(tmp_path):
    """Both runs report the loss of one network, before the first step."""
    plain, record = _train(tmp_path / "plain")
    heavy, heavy_record = _train(tmp_path / "heavy", class_weights="0=5")
    assert record["train_loss"] == heavy_record["train_loss"]
    assert record["validation_loss"] != heavy_record["validation_loss"]
    assert not all(map(np.array_equal, plain, heavy))


def test_it_is_refused_before_a_step_where_it_cannot_be(tmp_path):
    recipe = recipes.load(RECIPE, {"class_weights": "cat=2"})
    with pytest.raises(UsageError, match="Unknown class 'cat'"):
        run.train_and_evaluate(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match="which loss= replaces.*'cat=2'"):
        run.train_and_evaluate(recipe, tmp_path / "run", loss=len)
    assert not (tmp_path / "run").exists()
