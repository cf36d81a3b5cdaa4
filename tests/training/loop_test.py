"""A run as a whole: what it writes, how it stops, how it goes on."""

import dataclasses
import importlib.util
import json
import os
import signal
import subprocess

import digit_runs
import keras
import numpy as np
import pytest
import squares
import tensorflow as tf

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.networks import specs
from keras_resnet.training import distribution
from keras_resnet.training import run
from keras_resnet.training import signals
from keras_resnet.training import step
from keras_resnet.training import validation
from keras_resnet.training.engines import on_tensorflow

RECIPE = dataclasses.replace(
    digit_runs.RECIPE,
    depths=(1,),
    filters=(16,),
    image_size=8,
    eval_resize=8,
    steps=7,
    boundaries=(4, 6),
    log_every_steps=2,
    eval_every_steps=3,
    checkpoint_every_steps=5,
)


@pytest.fixture(scope="module")
def strategy():
    return distribution.make_strategy("one_device")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, strategy):
    workdir = tmp_path_factory.mktemp("finished")
    metrics = run.train_and_evaluate(RECIPE, workdir, strategy=strategy)
    return workdir, metrics


def test_the_workdir_holds_what_design_promises(finished):
    workdir, _ = finished
    for name in (
        "config.json",
        "checkpoints/step-00000007/state.json",
        "metrics.jsonl",
        "curves.png",
        "model.keras",
        "labels.txt",
    ):
        assert (workdir / name).stat().st_size > 0
    assert any((workdir / "tensorboard").iterdir())
    config = json.loads((workdir / "config.json").read_text())
    assert config["recipe"]["batch_size"] == 32
    assert config["imports"] == []
    card = cards.load_card(workdir)
    assert card.class_names == tuple("0123456789")
    assert (card.image_size, card.eval_resize) == (8, 8)


def test_metrics_have_a_line_an_evaluation(finished):
    workdir, metrics = finished
    records = digit_runs.records(workdir)
    assert [record["step"] for record in records] == [3, 6, 7]
    assert [round(r["learning_rate"], 6) for r in records] == [0.1, 0.01, 0.001]
    assert set(records[0]) == {
        "step", "epoch", "train_loss", "train_top1_accuracy",
        "validation_loss", "top1_accuracy", "top5_accuracy", "learning_rate",
    }  # fmt: skip
    assert records[-1]["top1_accuracy"] == metrics.top1_accuracy
    assert records[1]["epoch"] == pytest.approx(6 * 32 / 1438)
    assert metrics.num_examples == 359


def test_the_saved_model_scores_what_the_run_reported(finished):
    workdir, metrics = finished
    strategy = distribution.make_strategy("mirrored", devices=2)
    split = datasets.load("digits", "validation")
    with strategy.scope():
        model = keras.saving.load_model(workdir / "model.keras")
    batches = validation.distribute(
        strategy, split, View(resize=8, crop=8), batch_size=50
    )
    again = validation.validate(
        step.make_eval_step(strategy, model), batches, split, batch_size=50
    )
    assert again.num_examples == 359
    assert again.top1_accuracy == metrics.top1_accuracy
    assert again.loss == pytest.approx(metrics.loss, rel=1e-4)


def test_a_finished_run_is_not_trained_again_and_has_its_metrics_back(
    finished, strategy
):
    workdir, metrics = finished
    before = digit_runs.arrays(workdir)
    path = workdir / "metrics.jsonl"
    whole = path.read_bytes()
    for rest in (whole + whole[:-20], None):
        path.unlink() if rest is None else path.write_bytes(rest)
        again = run.train_and_evaluate(RECIPE, workdir, strategy=strategy)
        assert again == metrics
        assert path.read_bytes() == whole
    digit_runs.assert_equal(digit_runs.arrays(workdir), before)


SPLITS = squares.splits_of_one_class()
ON_SQUARES = dataclasses.replace(
    RECIPE,
    dataset="folder:squares",
    batch_size=60,
    steps=3,
    augmentation="imagenet",
    scale_range=(8, 12),
)


def test_an_image_that_cannot_be_read_is_named(tmp_path, strategy):
    def read(index):
        is_image = tf.debugging.Assert(index != 3, ["<html>404</html>"])
        with tf.control_dependencies([is_image]):
            return SPLITS["train"].read(index)

    split = dataclasses.replace(SPLITS["train"], read=read)
    with pytest.raises(errors.UsageError, match="Cannot read 3.png"):
        run.train_and_evaluate(
            ON_SQUARES,
            tmp_path / "run",
            strategy=strategy,
            splits={**SPLITS, "train": split},
        )


def test_a_run_learns_the_classes_of_its_data(tmp_path, strategy, caplog):
    """Also where a batch is larger than the data."""
    metrics = run.train_and_evaluate(
        ON_SQUARES, tmp_path / "run", strategy=strategy, splits=SPLITS
    )
    assert metrics.num_examples == 48
    # Boundaries past the third and last step are reported once.
    assert caplog.text.count("boundaries: 4, 6 lie at or past the end") == 1
    assert cards.load_card(tmp_path / "run").class_names == squares.NAMES
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert model.output_shape == (None, 3)
    mean = model.get_layer("pixels").mean
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(mean),
        specs.STEMS["imagenet"].pixel_mean,
    )


def test_a_diverging_run_stops_and_keeps_its_checkpoints(tmp_path, strategy):
    recipe = dataclasses.replace(RECIPE, learning_rate=1e30)
    with pytest.raises(
        errors.UsageError,
        match="at step [12]: .* diverged. There is no checkpoint yet. In "
        "another --workdir try a lower --learning_rate, a warm-up",
    ):
        run.train_and_evaluate(recipe, tmp_path, strategy=strategy)
    assert not any((tmp_path / "checkpoints").iterdir())
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize("where", ["weight", "loss"])
def test_what_is_not_finite_never_displaces_a_checkpoint(
    tmp_path, strategy, monkeypatch, where
):
    """Both come between the checkpoints of steps 2 and 4; reports are rare."""
    recipe = dataclasses.replace(
        RECIPE,
        checkpoint_every_steps=2,
        eval_every_steps=100,
        log_every_steps=100,
    )
    train = on_tensorflow.TensorFlowEngine.train

    def poisoned(engine, step, rates):
        sums = train(engine, step, rates)
        if step == 3 and where == "weight":
            kernel = engine.model.get_layer("logits").kernel
            kernel.assign(np.full(kernel.shape, np.inf))
        if step == 2 and where == "loss":
            sums = np.array([np.nan, 0, 0, 32], "f")
        return sums

    monkeypatch.setattr(on_tensorflow.TensorFlowEngine, "train", poisoned)
    message = {
        "weight": "logits/kernel is not finite at step 4",
        "loss": "The loss is nan at step 3",
    }
    with pytest.raises(
        errors.UsageError, match=f"{message[where]}: .*step-00000002"
    ):
        run.train_and_evaluate(recipe, tmp_path, strategy=strategy)
    names = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert names == ["step-00000002"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"augmentation": "crop"}, "Unknown augmentation 'crop'"),
        ({"shuffle": "blocks"}, "does not lie in blocks"),
        ({"dataset": "folder:nowhere"}, "nowhere"),
        ({"weights": "nothing.keras"}, "nothing.keras"),
        ({"freeze_until": "stem"}, "Pass --weights"),
        ({"freeze_batch_norm": True}, "Pass --weights"),
    ],
)
def test_what_is_refused_leaves_nothing_in_the_way(
    tmp_path, strategy, changes, message
):
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(errors.UsageError, match=message):
        run.train_and_evaluate(recipe, tmp_path / "run", strategy=strategy)
    assert not any(tmp_path.iterdir())


def test_a_package_that_is_needed_late_is_missed_early(
    tmp_path, strategy, monkeypatch
):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "matplotlib" or None
    )
    with pytest.raises(errors.UsageError, match="pip install matplotlib"):
        run.train_and_evaluate(RECIPE, tmp_path / "run", strategy=strategy)


def test_a_signal_before_the_first_batch_stops_at_once(
    tmp_path, strategy, monkeypatch
):
    def load(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it went on")

    monkeypatch.setattr(datasets, "load", load)
    with pytest.raises(signals.Interrupted, match="SIGTERM") as stop:
        run.train_and_evaluate(RECIPE, tmp_path / "run", strategy=strategy)
    assert (stop.value.step, stop.value.status) == (None, 75)
    assert not any(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_disk_that_is_full_at_the_end_is_one_line(tmp_path, strategy):
    """The checkpoint fits, model.keras does not; with room the run finishes."""
    recipe = dataclasses.replace(
        RECIPE,
        filters=(84,),
        batch_size=8,
        steps=1,
        boundaries=(),
        eval_every_steps=1,
        checkpoint_every_steps=1,
    )
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, "size=900k", "tmpfs", tmp_path]).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        with pytest.raises(errors.UsageError) as raised:
            run.train_and_evaluate(recipe, tmp_path / "run", strategy=strategy)
        message = str(raised.value)
        assert f"into '{tmp_path}/run': No space left on device" in message
        assert "Make room; the same command goes on." in message
        assert len(message.splitlines()) == 1
        more = [*mount, "remount,size=9m", tmp_path]
        subprocess.run(more, check=True)
        run.train_and_evaluate(recipe, tmp_path / "run", strategy=strategy)
        assert (tmp_path / "run" / "model.keras").exists()
    finally:
        subprocess.run(["umount", tmp_path], check=True)
