"""A run on images with any number of labels: loss, metrics, best, resume."""

import contextlib
import dataclasses
import io
import json

import keras
import numpy as np
import pytest
import squares
import tensorflow as tf
from tiny_runs import TINY

from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.errors import UsageError
from keras_resnet.evaluation import reports
from keras_resnet.evaluation.multi_label import MultiLabelMetrics
from keras_resnet.inference import runtime
from keras_resnet.labels.cards import load_card
from keras_resnet.labels.view import View
from keras_resnet.networks.outputs import is_multi_label
from keras_resnet.recipes import schedules
from keras_resnet.training import checks
from keras_resnet.training import distribution
from keras_resnet.training import losses
from keras_resnet.training import run
from keras_resnet.training import start
from keras_resnet.training.state import RunState

RECIPE = recipes.load(
    "digits",
    {
        **TINY,
        "depths": (1,),
        "filters": (16,),
        "batch_size": 16,
        "steps": 9,
        "boundaries": (),
        "schedule": "constant",
        "learning_rate": 0.4,
        "eval_every_steps": 3,
        "checkpoint_every_steps": 2,
        "log_every_steps": 1,
        "keep": "best",
        "class_weights": "balanced",
    },
)
SPLITS = {
    "train": squares.split("train", 0),
    "validation": squares.split("validation", 1, 27),
}


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [1.0, 3.0, 0.5]])
def test_the_loss_is_tensorflows_with_kerass_smoothing(smoothing, weights):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 3)).astype(np.float32) * 20
    label = rng.integers(0, 2, (5, 3)).astype(np.uint8)
    loss = losses.binary_cross_entropy(smoothing, weights)
    found = loss(tf.constant(logits), {"label": tf.constant(label)})
    smooth = label * (1 - smoothing) + smoothing / 2
    expected = tf.nn.weighted_cross_entropy_with_logits(
        smooth.astype("f"), logits, np.array(weights or 1, "f")
    )
    np.testing.assert_allclose(found, expected.numpy().mean(1), rtol=1e-5)
    if weights is None:
        theirs = keras.losses.binary_crossentropy(
            label, logits, from_logits=True, label_smoothing=smoothing
        )
        np.testing.assert_allclose(found, theirs, rtol=1e-5)


def test_balanced_gives_a_yes_as_much_as_all_noes():
    labels = SPLITS["train"].labels
    weights = losses.class_weights("balanced", SPLITS["train"])
    np.testing.assert_allclose(weights * labels.sum(0), (1 - labels).sum(0))
    table = losses.class_weights("blue=4", SPLITS["train"])
    assert table.tolist() == [1.0, 1.0, 4.0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stops, and the metrics it gave."""
    workdir, said = tmp_path_factory.mktemp("whole"), io.StringIO()
    with contextlib.redirect_stdout(said):
        metrics = run.train_and_evaluate(RECIPE, workdir, splits=SPLITS)
    line = said.getvalue().splitlines()[-1]
    assert "train micro F1 " in line and "validation mAP " in line
    assert "accuracy" not in line
    return workdir, metrics


def _records(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_best_by_mean_average_precision_is_kept(whole):
    workdir, metrics = whole
    records = _records(workdir)
    figures = [record["mean_average_precision"] for record in records]
    assert metrics.mean_average_precision == max(figures) > min(figures)
    assert all("top1" not in key for record in records for key in record)
    assert load_card(workdir).multi_label
    model = runtime.load_keras(workdir / "model.keras")
    assert is_multi_label(model)
    again = reports.make(model, View.of(RECIPE), SPLITS["validation"]).metrics
    for name, value in dataclasses.asdict(metrics).items():
        assert getattr(again, name) == pytest.approx(value, rel=1e-5)


def test_tensorboard_has_the_same_figures(whole):
    workdir, _ = whole
    scalars = {
        value.tag
        for path in (workdir / "tensorboard").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {
        "train/micro_f1",
        "validation/mean_average_precision",
        "validation/macro_f1",
    } <= scalars
    assert not any("top" in name for name in scalars)


def test_a_checkpoint_keeps_them(whole):
    """Resuming is exact for any run; here the metrics are of another kind."""
    workdir, metrics = whole
    names = {field.name for field in dataclasses.fields(metrics)}
    state = RunState(
        schedule=schedules.make(RECIPE),
        kind=MultiLabelMetrics,
        records=_records(workdir),
        metrics=metrics,
    )
    held = json.loads(json.dumps({"step": 9, **state.to_json()}))
    other = RunState(schedule=schedules.make(RECIPE), kind=MultiLabelMetrics)
    other.restore(held)
    assert other.metrics == metrics and names == set(held["metrics"])
    assert other.kept_metrics(RECIPE) == metrics


@pytest.mark.large
def test_devices_halves_and_masked_images_are_right(tmp_path):
    """Two devices, micro-batches, bfloat16, and an image that is damaged."""
    files = [tf.io.encode_png(i).numpy() for i in squares.arrays(0)[0]]
    files[3] = b"no image"
    several = SPLITS["train"]

    def read(index):
        return tf.gather(tf.constant(files), index), several.read(index)[1]

    damaged = dataclasses.replace(several, read=read)
    recipe = dataclasses.replace(
        RECIPE,
        dtype="mixed_bfloat16",
        steps=3,
        gradient_accumulation_steps=2,
        on_bad_image="mask:1",
    )
    metrics = run.train_and_evaluate(
        recipe,
        tmp_path,
        splits={"train": damaged, "validation": damaged},
        strategy=distribution.make_strategy("mirrored", devices=2),
    )
    assert metrics.num_examples == 47
    model = runtime.load_keras(tmp_path / "model.keras")
    alone = reports.make(
        model,
        View.of(recipe),
        damaged,
        masked=bad_images.MaskedImages(damaged, 1),
    )
    for name, value in dataclasses.asdict(metrics).items():
        assert getattr(alone.metrics, name) == pytest.approx(value, rel=1e-2)
    assert alone.support.sum() == several.labels.sum() - several.labels[3].sum()


def test_a_classifier_of_the_other_kind_is_not_taken_over(whole):
    """Logits of a softmax say nothing about each label alone."""
    path = whole[0] / "model.keras"
    recipe = dataclasses.replace(RECIPE, weights=str(path))
    kernel = runtime.load_keras(path).get_layer("logits").kernel
    taken, new = (
        start.build_model(recipe, squares.NAMES, multi_label=several)
        for several in (True, False)
    )
    np.testing.assert_array_equal(taken.get_layer("logits").kernel, kernel)
    assert np.any(new.get_layer("logits").kernel != kernel)


def test_validation_without_any_label_is_refused():
    """Its mAP would be 0 whatever is learnt."""
    empty = dataclasses.replace(
        SPLITS["validation"], labels=np.zeros((27, 3), np.uint8)
    )
    with pytest.raises(UsageError, match="No example of .* has a label"):
        checks.check_data({**SPLITS, "validation": empty}, RECIPE)
    checks.check_data(SPLITS, RECIPE)


def test_splits_of_two_kinds_are_refused():
    other = squares.of_one_class(SPLITS["validation"])
    with pytest.raises(UsageError, match="only one has any number of labels"):
        checks.check_data({**SPLITS, "validation": other}, RECIPE)
