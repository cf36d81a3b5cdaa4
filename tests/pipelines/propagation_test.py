"""Gradients that reach the units: P2 eqs. 5 and 8, to the last bit."""

import dataclasses

import keras
import numpy as np
import programs
import pytest
import tensorflow as tf
from tiny_runs import TINY

import keras_resnet

experiments = programs.module("reproduction.experiments")
jobs = programs.module("reproduction.jobs")
propagation = programs.module("reproduction.propagation")

UNITS = 2  # in each stage
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
LABELS = np.array([0, 3, 5, 9])
SCALED = "constant_scaling_branch_1"


def network(shortcut, placement="full_preact", seed=0, **choices):
    keras.utils.set_random_seed(seed)
    return keras_resnet.build(
        "resnet20",
        shortcut=shortcut,
        placement=placement,
        depths=(UNITS,) * 2,
        filters=(16, 32),
        input_shape=(8, 8, 3),
        **choices,
    )


def of_shortcuts(model):
    found = propagation.input_gradients(model, IMAGES, LABELS, held=True)
    return [np.asarray(gradient) for gradient in found]


def stages():
    """Places before and after units of one shape, first and last included."""
    # The first unit of a later stage changes the shape.
    return [(0, UNITS), (UNITS + 1, 2 * UNITS)]


@pytest.mark.parametrize(
    "shortcut, factor",
    [("A", 1.0), (SCALED, 0.5), ("constant_scaling", 0.5)],
)
def test_shortcuts_pass_the_product_of_their_lambdas(shortcut, factor):
    found = of_shortcuts(network(shortcut))
    for first, last in stages():
        assert np.any(found[last])
        for place in range(first, last):
            # Powers of two: no rounding.
            np.testing.assert_array_equal(
                found[place], factor ** (last - place) * found[last]
            )


def test_a_relu_after_the_addition_stops_part_of_it():
    found = of_shortcuts(network("A", "original"))
    for first, last in stages():
        passed = found[first] != 0
        assert 0 < passed.sum() < np.count_nonzero(found[last])
        np.testing.assert_array_equal(found[first][passed], found[last][passed])


def test_gates_pass_one_minus_g():
    # P2 sec. 3.1: the shortcut is scaled by 1 - g(x), here a constant one.
    model = network("shortcut_only_gating_bias_0")
    bias = 1.5
    for unit in model.layers:
        for gate in getattr(unit, "gate", []):
            if gate.weights:
                gate.kernel.assign(np.zeros(gate.kernel.shape))
                gate.bias.assign(np.full(gate.bias.shape, bias))
    found = of_shortcuts(model)
    factor = 1 - 1 / (1 + np.exp(-bias))
    for first, last in stages():
        np.testing.assert_allclose(
            found[first], factor ** (last - first) * found[last], rtol=1e-5
        )


def test_nothing_comes_through_shortcuts_of_a_plain_network():
    found = of_shortcuts(network("none"))
    assert not any(np.any(gradient) for gradient in found[:-1])
    assert np.any(found[-1])


def test_the_total_is_the_gradient_of_the_network_itself():
    # Central differences of the loss along a random change of x_0.
    model = network("A", "original", dtype="float64")
    total, *_ = propagation.input_gradients(model, IMAGES, LABELS, held=False)
    _, pixels, stem, *head, _ = model.layers
    x = stem(pixels(IMAGES), training=True)
    direction = np.random.default_rng(1).normal(size=x.shape)

    def loss(y):
        for layer in head:
            unit = layer.name.startswith("stage")
            y = layer(y, training=True) if unit else layer(y)
        return -np.mean(np.asarray(tf.nn.log_softmax(y))[range(4), LABELS])

    step = 1e-6
    slope = (loss(x + step * direction) - loss(x - step * direction)) / 2
    assert np.sum(total * direction) == pytest.approx(slope / step, rel=1e-5)


def test_norms_are_of_the_gradients_and_nothing_in_the_model_changes():
    model = network(SCALED)
    before = [np.array(weight) for weight in model.weights]
    norms = propagation.gradients(model, IMAGES, LABELS)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    alone = norms["shortcuts"]
    assert len(alone) == len(norms["total"]) == 2 * UNITS + 1
    assert alone[-1] == norms["total"][-1]
    for first, last in stages():
        assert alone[first] == 0.5 ** (last - first) * alone[last]


def test_a_norm_below_the_smallest_square_is_not_zero():
    # 0.5^54 of ResNet-110 is 6e-17; float32 cannot hold the square of 1e-25.
    model = network("A", dtype="float32")
    model.get_layer("logits").kernel.assign(
        1e-25 * np.asarray(model.get_layer("logits").kernel)
    )
    total = propagation.gradients(model, IMAGES, LABELS)["total"]
    assert 0 < total[-1] < 1e-24


@pytest.mark.parametrize("scale", ["quick", "full"])
def test_what_is_trained_is_at_the_full_rate(scale, tmp_path):
    experiment = experiments.EXPERIMENTS["propagation"]
    for dataset in experiment.settings[scale]:
        for job in jobs.make(
            "propagation", experiment, scale, dataset=dataset, workdir=tmp_path
        ):
            assert job.recipe.warmup_steps == 0
            assert min(job.recipe.boundaries) >= max(propagation.AFTER)


def record(row, total, alone, product):
    result = {"after": {}, "product": product}
    for steps in propagation.AFTER:
        result["after"][str(steps)] = {"total": total, "shortcuts": alone}
    return {"row": row, "seed": 0, "status": "finished", "result": result}


def test_the_table_has_ratios_of_the_norm_at_x_1_to_the_last(tmp_path):
    experiment = experiments.EXPERIMENTS["propagation"]
    records = [
        record("scaled_0.5_1", [1e-3, 1.0, 10.0], [2.5, 5, 10], [0.25, 0.5, 1]),
        record("plain", [1e5, 1e3, 10.0], [0, 0, 10], [0, 0, 1]),
    ]
    _, _, scaled, plain = propagation.table(experiment, records).splitlines()
    assert (
        scaled.split()
        == (
            "| scaled_0.5_1 | 10^-1.0 | 10^-1.0 | 10^-1.0 | 10^-0.3 | 10^-0.3 |"
        ).split()
    )
    assert (
        plain.split()
        == ("| plain | 10^2.0 | 10^2.0 | 10^2.0 | 0 | 0 |").split()
    )
    path = tmp_path / "picture.png"
    propagation.picture(experiment, records, path)
    assert path.stat().st_size > 10_000


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(job, result) of a run that takes two steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propagation, "AFTER", (0, 2))
        patch.setattr(propagation, "IMAGES", 4)
        job, *_ = jobs.make(
            "propagation",
            experiments.EXPERIMENTS["propagation"],
            "quick",
            rows=["scaled_0.5_1"],
            workdir=tmp_path_factory.mktemp("run"),
            overrides=TINY,
        )
        yield job, propagation.run(job)


@pytest.mark.large
def test_a_run_measures_before_and_after_training(measured):
    _, result = measured
    assert list(result["after"]) == ["0", "2"]
    # P2 eq. 8; a unit that changes the shape counts like the others.
    assert result["product"] == [0.125, 0.25, 0.5, 1.0]
    before, after = result["after"].values()
    assert len(before["total"]) == 4
    assert before["total"] != after["total"]


@pytest.mark.large
def test_the_network_before_training_is_the_run_s_own(measured):
    # At a rate too small to move a weight, training leaves what it began with;
    # the mean image is of the training images, not of the data set's table.
    job, _ = measured
    still = dataclasses.replace(
        job,
        recipe=dataclasses.replace(
            job.recipe, learning_rate=1e-30, boundaries=(), pixel_mean="image"
        ),
        workdir=job.workdir / "still",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propagation, "AFTER", (0, 1))
        (_, model), (_, trained) = propagation._models(still)
    image = model.get_layer("pixels").mean
    assert image.shape == (8, 8, 3)
    np.testing.assert_array_equal(image, trained.get_layer("pixels").mean)
    kernels = 0
    for ours, theirs in zip(model.weights, trained.weights, strict=True):
        assert ours.path == theirs.path
        if "kernel" in ours.path:
            kernels += 1
            np.testing.assert_array_equal(ours, theirs)
    assert kernels == 8
