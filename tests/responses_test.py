"""Standard deviations of layer responses, against closed formulae."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

import keras_resnet
from keras_resnet.errors import UsageError

PIPELINES = pathlib.Path(__file__).resolve().parents[1] / "pipelines"


def _import(name):
    sys.path.insert(0, str(PIPELINES))
    try:
        return importlib.import_module(f"reproduction.{name}")
    finally:
        sys.path.remove(str(PIPELINES))


responses = _import("responses")


def make(variant="resnet20", **choices):
    return keras_resnet.build(
        variant, depths=(1, 1, 1), input_shape=(8, 8, 3), **choices
    )


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    # More than two batches, the last not full.
    return generator.integers(0, 256, (230, 8, 8, 3)).astype("uint8")


def test_each_3x3_convolution_has_a_response(images):
    found = responses.layer_responses(make(shortcut="B"), images[:4])
    assert [layer["layer"] for layer in found] == [
        "stem/conv1",
        *(f"stage{i}_unit1/conv{j}" for i in (1, 2, 3) for j in (1, 2)),
    ]


@pytest.mark.parametrize("variant", ["resnet20", "plainnet20"])
def test_a_response_grows_with_bns_gamma_alone(variant, images):
    model = make(variant)
    unit = model.get_layer("stage3_unit1")
    before = responses.layer_responses(model, images)
    bn = next(layer for layer in unit.branch if layer.name == "bn2")
    bn.gamma.assign(3 * bn.gamma)
    bn.beta.assign(bn.beta + 100)  # a shift has no deviation
    after = responses.layer_responses(model, images)
    ratios = [b["std"] / a["std"] for a, b in zip(before, after, strict=True)]
    np.testing.assert_allclose(ratios, [1] * 6 + [3], rtol=1e-3)


def test_the_stems_response_is_numpys_over_all_images(images):
    model = make()
    stem = model.get_layer("stem")
    x = model.get_layer("pixels")(images)
    for layer in stem.layers[:2]:
        x = layer(x)
    found = responses.layer_responses(model, images)
    expected = np.std(np.asarray(x, np.float64))
    assert found[0]["std"] == pytest.approx(expected, rel=1e-5)


def test_pre_activation_has_no_such_response(images):
    with pytest.raises(UsageError, match="BN after a convolution"):
        responses.layer_responses(make(placement="full_preact"), images[:4])


def test_moments_of_batches_are_those_of_all():
    values = 1e8 + np.random.default_rng(0).normal(size=1_000)
    total = responses.Moments()
    for part in np.split(values, [10, 300]):
        deviations = part - part.mean()
        total.add(part.size, part.mean(), np.sum(deviations**2))
    assert total.std == pytest.approx(np.std(values), rel=1e-6)
    # What a difference of sums would give instead.
    naive = np.mean(values**2) - np.mean(values) ** 2
    assert abs(naive - np.var(values)) > 0.1
