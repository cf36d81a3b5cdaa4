"""Deviations of layer responses (P1 Fig. 7) against closed formulas."""

import keras
import numpy as np
import programs
import pytest
from tiny_runs import TINY

import keras_resnet

experiments = programs.module("reproduction.experiments")
jobs = programs.module("reproduction.jobs")
responses = programs.module("reproduction.responses")

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def network(variant="resnet20", **choices):
    """One unit a stage; distinct values in every BN."""
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        variant, depths=(1, 1, 1), input_shape=(8, 8, 3), **choices
    )
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.path.endswith(("gamma", "beta", "moving_mean")):
            weight.assign(rng.normal(size=weight.shape))
    return model


def measure(model, images=IMAGES):
    found = responses.layer_responses(model, images)
    return {layer["layer"]: layer["std"] for layer in found}


@pytest.mark.parametrize(
    "variant, choices, convolutions",
    [
        ("resnet20", {}, ("conv1", "conv2")),
        # P1: "of 3x3 layers"; a bottleneck has one of them.
        ("resnet164", {"shortcut": "B"}, ("conv2",)),
    ],
)
def test_every_3x3_layer_has_a_response_in_the_order_of_the_network(
    variant, choices, convolutions
):
    units = [f"stage{s}_unit1/{c}" for s in (1, 2, 3) for c in convolutions]
    model = network(variant, **choices)
    assert list(measure(model)) == ["stem/conv1", *units]


def convolved(x, convolution):
    """NumPy's cross-correlation, 3x3, padded by one pixel on each side."""
    kernel = np.asarray(convolution.kernel, np.float64)
    step = convolution.strides[0]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    height, width = x.shape[1:3]
    return sum(
        padded[:, i : i + height : step, j : j + width : step] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def normalised(x, bn):
    gamma, beta, mean, variance = (
        np.asarray(weight, np.float64)
        for weight in (bn.gamma, bn.beta, bn.moving_mean, bn.moving_variance)
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


@pytest.mark.parametrize("variant", ["plainnet20", "resnet20"])
def test_a_response_is_after_bn_and_before_relu_and_addition(variant):
    model, expected = network(variant), {}
    pixels = model.get_layer("pixels")
    x = (IMAGES - np.asarray(pixels.mean)) / np.asarray(pixels.std)
    convolution, bn, _ = model.get_layer("stem").layers
    x = normalised(convolved(x, convolution), bn)
    expected["stem/conv1"] = x.std()
    x = np.maximum(x, 0)
    for name in ("stage1_unit1", "stage2_unit1"):
        layers = {x.name: x for x in model.get_layer(name).branch}
        y = x
        for i in (1, 2):
            y = np.maximum(y, 0)
            y = normalised(convolved(y, layers[f"conv{i}"]), layers[f"bn{i}"])
            expected[f"{name}/conv{i}"] = y.std()
        residual = variant == "resnet20" and name == "stage1_unit1"
        x = np.maximum(x + y if residual else y, 0)
    found = measure(model)
    for name, deviation in expected.items():
        assert found[name] == pytest.approx(deviation, rel=1e-4)


def test_where_no_bn_follows_the_response_is_the_convolutions():
    model = network(placement="full_preact")
    before = measure(model)
    unit = model.get_layer("stage3_unit1")
    last = unit.branch[-1]
    last.kernel.assign(3 * np.asarray(last.kernel))
    after = measure(model)
    name = "stage3_unit1/conv2"
    assert after.pop(name) == pytest.approx(3 * before.pop(name), rel=1e-5)
    assert after == before


def test_batches_of_any_size_give_the_deviation_of_all(monkeypatch):
    model = network()
    whole = measure(model)
    monkeypatch.setattr(responses, "BATCH", 2)
    for name, deviation in measure(model).items():
        assert deviation == pytest.approx(whole[name], rel=1e-6)


def test_moments_keep_their_digits_far_from_zero():
    values = 1e9 + np.random.default_rng(2).normal(size=1000)
    moments = [0, 0.0, 0.0]
    for part in np.split(values, [10, 500]):
        responses.add(moments, part)
    assert responses.deviation(moments) == pytest.approx(values.std(), 1e-9)
    # Negative control: a sum of squares loses the digits.
    naive = np.mean(values**2) - np.mean(values) ** 2
    assert naive != pytest.approx(values.var(), rel=0.1)


def test_the_model_keeps_its_statistics():
    model = network()
    before = [np.array(weight) for weight in model.weights]
    measure(model)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def record(row, deviations):
    found = [{"layer": str(i), "std": x} for i, x in enumerate(deviations)]
    result = {"responses": found, "train_error": 0.0625}
    return {"row": row, "seed": 0, "status": "finished", "result": result}


def test_the_second_panel_has_the_first_one_s_values_by_size(
    tmp_path, monkeypatch
):
    import matplotlib.figure

    drawn = []
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda f, *_, **__: drawn.append(f)
    )
    experiment = experiments.EXPERIMENTS["responses"]
    deviations = {"plain-20": [0.5, 2.0, 0.25], "ResNet-20": [1.0, 4.0]}
    records = [record(row, values) for row, values in deviations.items()]
    responses.picture(experiment, records, tmp_path / "picture.png")
    in_order, by_size = (
        {line.get_color(): list(line.get_ydata()) for line in axes.get_lines()}
        for axes in drawn[0].axes
    )
    assert list(in_order.values()) == [[0.5, 2.0, 0.25], [1.0, 4.0]]
    assert list(by_size.values()) == [[2.0, 0.5, 0.25], [4.0, 1.0]]
    assert list(in_order) == list(by_size)


def test_the_table_has_medians_and_errors_in_per_cent():
    experiment = experiments.EXPERIMENTS["responses"]
    records = [record("ResNet-20", [0.5, 2.0, 0.25])]
    *_, line = responses.table(experiment, records).splitlines()
    assert line.split() == "| ResNet-20 | 3 | 0.500 | 2.000 | 6.25 |".split()
    records[0] |= {"status": "failed", "result": {"curve": {}}}
    assert responses.table(experiment, records) == "Not run."


@pytest.mark.large
def test_a_run_trains_and_measures(tmp_path):
    job, *_ = jobs.make(
        "responses",
        experiments.EXPERIMENTS["responses"],
        "quick",
        dataset="digits",
        rows=["plain-20"],
        workdir=tmp_path,
        overrides={**TINY, "steps": 2, "boundaries": ()},
    )
    result = responses.run(job)
    assert len(result["responses"]) == 7
    assert all(layer["std"] > 0 for layer in result["responses"])
    assert 0 <= result["train_error"] <= 1
