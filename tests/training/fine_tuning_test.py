"""A run from the weights of another one: a new head, frozen stages, resume."""

import dataclasses
import itertools

import digit_runs
import keras
import numpy as np
import pytest
import squares
from stops import StopAt

from keras_resnet.training import distribution
from keras_resnet.training import final_files
from keras_resnet.training import run
from keras_resnet.training import signals
from keras_resnet.training import start
from keras_resnet.training.hooks import Hook

pytestmark = pytest.mark.usefixtures("no_curves")

RECIPE = dataclasses.replace(
    digit_runs.RECIPE,
    image_size=8,
    eval_resize=8,
    steps=5,
    boundaries=(3,),
    eval_every_steps=5,
)
NAMES = tuple("0123456789")
SPLITS = squares.splits_of_one_class()


@pytest.fixture(scope="module")
def strategy():
    return distribution.make_strategy("one_device")


@pytest.fixture(scope="module")
def donor(tmp_path_factory):
    """The directory of a network of ten classes."""
    path = tmp_path_factory.mktemp("donor")
    model = start.build_model(dataclasses.replace(RECIPE, seed=7), NAMES)
    final_files.save_model(path, model, RECIPE, NAMES)
    return path


@pytest.fixture(scope="module")
def tuned(donor, tmp_path_factory, strategy):
    """A run of three classes from the weights of one of ten."""
    path = tmp_path_factory.mktemp("tuned")
    recipe = dataclasses.replace(
        RECIPE,
        weights=str(donor / "model.keras"),
        batch_size=4,
        freeze_until="head",
        unfreeze_boundaries=(3,),
        freeze_batch_norm=True,
        head_learning_rate_multiplier=10.0,
        stage_learning_rate_decay=0.5,
        # The frozen statistics are initial ones: BN normalises nothing.
        learning_rate=1e-6,
    )
    kernels = _Kernels()
    _train(recipe, path, strategy, hooks=[kernels])
    return recipe, path, kernels.seen


def _train(recipe, workdir, strategy, hooks=()):
    run.train_and_evaluate(
        recipe, workdir, strategy=strategy, splits=SPLITS, hooks=hooks
    )


class _Kernels(Hook):
    """Notes the kernels before the first step and after each step."""

    def begin(self, engine, state):
        self._kernels = {
            v.path: v for v in engine.model.variables if v.name == "kernel"
        }
        self.seen = []
        self.after_step(state)

    def after_step(self, state):
        del state
        self.seen.append(
            {k: np.array(v.numpy()) for k, v in self._kernels.items()}
        )


def test_a_part_more_trains_after_a_boundary(tuned):
    trained = [
        {path[:6] for path in a if (a[path] != b[path]).any()}
        for a, b in itertools.pairwise(tuned[2])
    ]
    assert trained == [*[{"logits"}] * 3, *[{"logits", "stage2"}] * 2]


def test_fine_tuning_gives_a_new_head_and_keeps_what_is_frozen(donor, tuned):
    donor, tuned = digit_runs.arrays(donor), digit_runs.arrays(tuned[1])
    assert tuned["logits/kernel"].shape == (32, 3)
    for path in donor:
        if path.startswith(("pixels", "stem", "stage1")) or "/bn" in path:
            np.testing.assert_array_equal(donor[path], tuned[path], path)
        elif "logits" not in path:
            assert (donor[path] != tuned[path]).any()


def test_an_interrupted_fine_tuning_ends_with_the_very_same_weights(
    tuned, tmp_path, strategy
):
    """The stop is at the step where another part begins to train."""
    recipe, whole, _ = tuned
    with pytest.raises(signals.Interrupted, match="step 3"):
        _train(recipe, tmp_path, strategy, hooks=[StopAt(3)])
    _train(recipe, tmp_path, strategy)
    digit_runs.assert_equal(
        digit_runs.arrays(whole), digit_runs.arrays(tmp_path)
    )


def test_the_head_is_kept_for_the_very_same_classes(donor):
    recipe = dataclasses.replace(RECIPE, weights=str(donor / "model.keras"))
    expected = digit_runs.arrays(donor)["logits/kernel"]
    for names, kept in (("0123456789", True), ("9876543210", False)):
        model = start.build_model(RECIPE, tuple(names))
        start.load(model, recipe, tuple(names))
        kernel = keras.ops.convert_to_numpy(model.get_layer("logits").kernel)
        assert (kernel == expected).all() == kept
