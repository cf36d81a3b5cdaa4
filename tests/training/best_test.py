"""A run keeps its best network and ends early, to the bit, through any stop."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tiny_runs
from stops import StopAt

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.evaluation import reports
from keras_resnet.labels.view import View
from keras_resnet.training import run
from keras_resnet.training import signals
from keras_resnet.training.checkpoints.checkpoint import BEST
from keras_resnet.training.engines import engine as engine_lib
from keras_resnet.training.state import RunState

pytestmark = pytest.mark.usefixtures("no_curves")

# The rate is so high that the accuracy goes up and down.
RECIPE = recipes.load(
    "digits",
    {
        **tiny_runs.SHAPE,
        "depths": (1,),
        "filters": (16,),
        "batch_size": 16,
        "train_examples": 200,
        "learning_rate": 0.4,
        "schedule": "constant",
        "steps": 16,
        "boundaries": (),
        "log_every_steps": 16,
        "eval_every_steps": 4,
        "checkpoint_every_steps": 2,
        "keep": "best",
    },
)
PATIENT = dataclasses.replace(RECIPE, patience=1)


def _records(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _end(workdir):
    """All that a run leaves: {what: arrays or records}."""
    models = {
        name: keras.saving.load_model(workdir / name).get_weights()
        for name in ("model.keras", "last.keras")
    }
    return {**models, "records": _records(workdir)}


def _same(one, other):
    return one["records"] == other["records"] and all(
        all(map(np.array_equal, one[name], other[name]))
        for name in ("model.keras", "last.keras")
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stops, and the metrics it gave."""
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, run.train_and_evaluate(RECIPE, workdir)


def _accuracy(workdir, name):
    """A network's accuracy on the validation split, evaluated anew."""
    model = keras.saving.load_model(workdir / name)
    split = engine_lib.make().load_splits(RECIPE, None)["validation"]
    return reports.make(model, View.of(RECIPE), split).metrics.top1_accuracy


def test_held_out_training_images_choose_in_place_of_the_reported_ones():
    recipe = dataclasses.replace(RECIPE, holdout_examples=50)
    found = engine_lib.make().load_splits(recipe, None)
    assert found["validation"].name == found["train"].name == "digits/train"
    sizes = {name: split.num_examples for name, split in found.items()}
    assert sizes == {"train": 150, "validation": 50}
    found = engine_lib.make().load_splits(RECIPE, None)
    assert found["validation"].name == "digits/validation"


def test_the_model_is_that_of_the_best_evaluation(whole):
    workdir, metrics = whole
    accuracies = [record["top1_accuracy"] for record in _records(workdir)]
    best = max(accuracies)
    assert best > accuracies[-1]  # else the last would be the best
    assert metrics.top1_accuracy == best
    assert _accuracy(workdir, "model.keras") == pytest.approx(best)
    assert _accuracy(workdir, "last.keras") == pytest.approx(accuracies[-1])
    assert not (workdir / BEST).exists()


def test_a_stop_changes_neither(whole, tmp_path):
    """Nor does a best network left by a process that died at a later step."""
    with pytest.raises(signals.Interrupted):
        run.train_and_evaluate(RECIPE, tmp_path, hooks=[StopAt(13)])
    held = tmp_path / BEST
    assert held.read_bytes() != b"of the future"
    held.unlink()
    held.write_bytes(b"of the future")
    metrics = run.train_and_evaluate(RECIPE, tmp_path, resume="must")
    assert _same(_end(tmp_path), _end(whole[0])) and metrics == whole[1]


def test_patience_ends_it_after_evaluations_without_a_better_one(
    whole, tmp_path
):
    """A stop changes nothing: up to the end the records are the whole run's."""
    full = _records(whole[0])
    accuracies = [record["top1_accuracy"] for record in full]
    ends = next(
        i + 1 for i, a in enumerate(accuracies) if i and a < max(accuracies[:i])
    )
    assert ends < len(full)
    with pytest.raises(signals.Interrupted):
        run.train_and_evaluate(PATIENT, tmp_path, hooks=[StopAt(3)])
    run.train_and_evaluate(PATIENT, tmp_path)
    assert _records(tmp_path) == full[:ends]
    best = pytest.approx(max(accuracies[:ends]))
    assert _accuracy(tmp_path, "model.keras") == best
    # A second call changes nothing.
    before = _end(tmp_path)
    assert run.train_and_evaluate(PATIENT, tmp_path).top1_accuracy == best
    assert _same(_end(tmp_path), before)


@pytest.mark.parametrize(
    "figures, best",
    [
        ([(0.5, 1.0), (0.6, 2.0), (0.6, 1.0)], 2),
        ([(0.6, 1.0), (0.6, 1.0), (0.5, 0.1)], 0),
        ([(0.1, 9.0)], 0),
    ],
)
def test_of_equal_accuracies_the_lowest_loss_is_best(figures, best):
    records = [
        {"top1_accuracy": accuracy, "validation_loss": loss}
        for accuracy, loss in figures
    ]
    state = RunState(schedule=None, records=records)
    assert state.best() is records[best]


def test_another_choice_is_refused():
    with pytest.raises(UsageError, match="Unknown choice of keep 'bst'.*best"):
        recipes.load("digits", {"keep": "bst"})
    with pytest.raises(UsageError, match="patience must be >= 0"):
        recipes.load("digits", {"patience": -1})
