"""A run with all later practice: what its final model is, and its resume."""

import dataclasses
import shutil

import digit_runs
import keras
import numpy as np
import pytest

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.training import distribution
from keras_resnet.training import precise_bn
from keras_resnet.training import run

# float16 is slow on a CPU.
pytestmark = pytest.mark.large

RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    dtype="mixed_float16",
    batch_size=32,
    steps=4,
    momentum_rule="torch",
    nesterov=True,
    label_smoothing=0.1,
    gradient_accumulation_steps=2,
    ema_momentum=0.5,
    precise_bn_batches=2,
    log_every_steps=2,
    eval_every_steps=3,
    checkpoint_every_steps=2,
)


@pytest.fixture(scope="module")
def strategy():
    return distribution.make_strategy("one_device")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, strategy):
    workdir = tmp_path_factory.mktemp("finished")
    return workdir, run.train_and_evaluate(RECIPE, workdir, strategy=strategy)


def test_the_final_model_has_the_averaged_weights(finished):
    model = digit_runs.arrays(finished[0])
    saved = digit_runs.checkpoint(finished[0])
    kernels = [path for path in model if path.endswith("kernel")]
    assert len(kernels) == 20
    for path in kernels:
        average = saved[f"sgd/{path.replace('/', '_')}_average"]
        np.testing.assert_array_equal(model[path], average)
        assert (model[path] != saved[path]).any()


def test_the_final_model_has_precise_statistics(finished):
    """They are of the averaged weights, on the batches that would come next."""
    workdir, _ = finished
    model = keras.saving.load_model(workdir / "model.keras")
    batches = pipeline.train_dataset(
        datasets.load("digits", "train"),
        dataclasses.replace(RECIPE, steps=10),
        fill=model.get_layer("pixels").mean.numpy(),
        first_step=RECIPE.steps,
    )
    precise_bn.recalibrate(
        model,
        batches.take(RECIPE.precise_bn_batches),
        parts=RECIPE.gradient_accumulation_steps,
    )
    saved = digit_runs.arrays(workdir)
    for variable in model.non_trainable_variables:
        np.testing.assert_allclose(
            variable.numpy(), saved[variable.path], rtol=1e-3, atol=1e-3
        )


def test_the_final_model_is_what_was_evaluated(finished, strategy):
    workdir, metrics = finished
    assert run.train_and_evaluate(RECIPE, workdir, strategy=strategy) == (
        metrics
    )


def test_a_resumed_run_ends_with_the_very_same_weights(
    finished, tmp_path, strategy
):
    shutil.copytree(finished[0], tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000004")
    (tmp_path / "run" / "model.keras").unlink()
    run.train_and_evaluate(RECIPE, tmp_path / "run", strategy=strategy)
    for read in (digit_runs.arrays, digit_runs.checkpoint):
        digit_runs.assert_equal(read(finished[0]), read(tmp_path / "run"))
    assert "sgd/loss_scale" in digit_runs.checkpoint(tmp_path / "run")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"jit_compile": True}, "jit_compile needs --strategy=one_device"),
        (
            {"batch_size": 6, "gradient_accumulation_steps": 2},
            "The 2 devices, times .* batch_size=6, .*_steps=2",
        ),
    ],
)
def test_what_the_devices_cannot_compute_is_refused(tmp_path, changes, message):
    strategy = distribution.make_strategy("mirrored", devices=2)
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(errors.UsageError, match=message):
        run.train_and_evaluate(recipe, tmp_path, strategy=strategy)
    assert not any(tmp_path.iterdir())
