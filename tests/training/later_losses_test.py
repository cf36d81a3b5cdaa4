"""Losses of later practice against their peers: binary, mixed, distilled."""

import dataclasses
import json
import types

import numpy as np
import peers
import pytest
import squares
from tiny_runs import TINY

from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.inference import opening
from keras_resnet.training import distillation
from keras_resnet.training import final_files
from keras_resnet.training import losses
from keras_resnet.training import run
from keras_resnet.training import start

pytestmark = pytest.mark.usefixtures("no_curves")

CLASSES = 5
SPLIT = types.SimpleNamespace(
    class_names=("a", "b", "c", "d", "e"), labels=None, multi_label=False
)
RNG = np.random.default_rng(0)
LOGITS, TEACHER = RNG.normal(size=(2, 4, CLASSES)).astype("f") * 3
LABEL = np.array([0, 3, 2, 1], np.int32)
BATCH = {"label": LABEL}
MIXED = {
    "label": LABEL,
    "other": LABEL[::-1].copy(),
    "share": np.array([0.75, 0.75, 0.6, 1], "f"),
}
# The target that the two labels of each image make.
TARGET = MIXED["share"][:, None] * np.eye(CLASSES)[LABEL]
TARGET += (1 - MIXED["share"][:, None]) * np.eye(CLASSES)[LABEL[::-1]]


def _found(batch, **fields):
    loss = losses.of_recipe(recipes.load("digits", fields), SPLIT)
    return np.asarray(loss(LOGITS, batch))


@pytest.mark.parametrize("threshold", [0.0, 0.2])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_binary_is_timms(smoothing, threshold):
    torch = peers.torch_module()
    peers.timm_module()
    timm = pytest.importorskip("timm.loss")
    logits = torch.from_numpy(LOGITS)
    fields = {
        "loss": "binary",
        "label_smoothing": smoothing,
        "target_threshold": threshold,
    }
    theirs = timm.BinaryCrossEntropy(
        smoothing, target_threshold=threshold or None, reduction="none"
    )
    one = theirs(logits, torch.from_numpy(LABEL)).mean(1)
    np.testing.assert_allclose(_found(BATCH, **fields), one, rtol=1e-5)
    # timm's mixup smooths before it mixes.
    smooth = TARGET * (1 - smoothing) + smoothing / CLASSES
    mixed = theirs(logits, torch.from_numpy(smooth.astype("f"))).mean(1)
    np.testing.assert_allclose(_found(MIXED, **fields), mixed, rtol=1e-5)
    assert np.abs(mixed - one).max() > 0.01


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_of_mixed_labels_is_pytorchs(smoothing):
    torch = peers.torch_module()
    theirs = torch.nn.CrossEntropyLoss(
        label_smoothing=smoothing, reduction="none"
    )
    expected = theirs(torch.from_numpy(LOGITS), torch.from_numpy(TARGET))
    found = _found(MIXED, label_smoothing=smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_mixed_image_has_the_mean_weight_of_its_labels():
    weights = np.array([4, 1, 1, 2, 1])
    plain = _found(MIXED)
    weighted = _found(MIXED, class_weights="a=4,d=2")
    np.testing.assert_allclose(weighted, plain * (TARGET @ weights), rtol=1e-6)


def test_mixed_yes_and_no_are_their_means():
    labels = np.array([[1, 1, 0], [0, 1, 0]], np.uint8)
    batch = {
        "label": labels,
        "other": labels[::-1],
        "share": np.array([0.75, 0.5], "f"),
    }
    found = losses.targets(np.zeros((2, 3), "f"), batch)
    np.testing.assert_allclose(found, [[0.75, 1, 0], [0.5, 1, 0]])


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_soft_distillation_is_hintons(part):
    torch = peers.torch_module()
    functional, heat = torch.nn.functional, 3.0
    ours, theirs = (
        functional.log_softmax(torch.from_numpy(x) / heat, 1)
        for x in (LOGITS, TEACHER)
    )
    away = functional.kl_div(ours, theirs, reduction="none", log_target=True)
    expected = (1 - part) * _found(BATCH)
    expected = expected + part * heat**2 * away.sum(1).numpy()
    found = _found(
        {**BATCH, "teacher": TEACHER},
        teacher="x",
        distillation_weight=part,
        distillation_temperature=heat,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_hard_distillation_is_the_loss_of_the_teachers_class():
    found = _found({**BATCH, "teacher": TEACHER}, teacher="x",
                   distillation="hard")  # fmt: skip
    theirs = {"label": TEACHER.argmax(1).astype(np.int32)}
    expected = (_found(BATCH) + _found(theirs)) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# Runs: a teacher and its pupil.
RECIPE = recipes.load(
    "digits",
    {
        **TINY,
        "depths": (1,),
        "filters": (16,),
        "batch_size": 16,
        "steps": 2,
        "boundaries": (),
        "log_every_steps": 1,
        "eval_every_steps": 2,
        "checkpoint_every_steps": 2,
    },
)
NAMES = squares.NAMES
SPLITS = squares.splits_of_one_class()


def _train(recipe, workdir):
    run.train_and_evaluate(recipe, workdir, splits=SPLITS)
    return workdir


def _save(directory, seed):
    """Saves a network that may be a teacher."""
    model = start.build_model(dataclasses.replace(RECIPE, seed=seed), NAMES)
    final_files.save_model(directory, model, RECIPE, NAMES)
    return directory


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return _save(tmp_path_factory.mktemp("teacher"), seed=2)


def test_a_run_has_one_teacher(teacher, tmp_path):
    recipe = dataclasses.replace(RECIPE, teacher=str(teacher))
    pupil = _train(recipe, tmp_path / "pupil")
    held = json.loads((pupil / "config.json").read_text())
    assert held["teacher_sha256"] == distillation.digest(recipe)
    # The same path with another network in it.
    other = tmp_path / "other"
    other.mkdir()
    _save(other, seed=1)
    for name in ("model.keras", "card.json"):
        (tmp_path / name).write_bytes((teacher / name).read_bytes())
        (teacher / name).write_bytes((other / name).read_bytes())
    try:
        with pytest.raises(UsageError, match="teacher_sha256: .* there, "):
            _train(recipe, pupil)
    finally:
        for name in ("model.keras", "card.json"):
            (teacher / name).write_bytes((tmp_path / name).read_bytes())
    _train(recipe, pupil)  # the run is done


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"teacher": "nowhere"}, "must be a model file.*'nowhere': No such"),
        (
            {"image_size": 16, "eval_resize": 16},
            r"images of \(16, 16, 3\). It takes \(8, 8",
        ),
    ],
)
def test_a_teacher_of_others_is_refused_before_a_step(
    teacher, tmp_path, changes, message
):
    fields = {"teacher": str(teacher), **changes}
    recipe = dataclasses.replace(RECIPE, **fields)
    with pytest.raises(UsageError, match=message):
        _train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_other_classes_is_refused(teacher):
    recipe = dataclasses.replace(RECIPE, teacher=str(teacher))
    names, pupil = NAMES[::-1], opening.load(teacher)
    with pytest.raises(UsageError, match="does not tell the 3 classes"):
        distillation.load(recipe, pupil, names)


def test_what_an_argument_replaces_is_refused_with_it(tmp_path):
    fields = {
        "loss": {"mixup_alpha": 0.2, "loss": "binary", "teacher": "x"},
        "optimizer": {"optimizer": "lamb", "clip_norm": 1.0},
    }
    for what, changes in fields.items():
        for name, value in changes.items():
            recipe = dataclasses.replace(RECIPE, **{name: value})
            with pytest.raises(UsageError, match=f"{name} is of .*{what}="):
                run.train_and_evaluate(recipe, tmp_path, **{what: len})


def test_many_labels_have_no_teacher(teacher, tmp_path):
    recipe = dataclasses.replace(RECIPE, teacher=str(teacher))
    several = {n: squares.split(n, 0) for n in ("train", "validation")}
    with pytest.raises(UsageError, match="images of one class each"):
        run.train_and_evaluate(recipe, tmp_path, splits=several)
