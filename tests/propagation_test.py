"""The gradient through shortcuts, against P2's eqs. 5 and 8."""

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


propagation = _import("propagation")
UNITS = 4


def make(variant, placement="full_preact"):
    return keras_resnet.build(
        variant,
        depths=(UNITS, UNITS),
        filters=(4, 8),
        input_shape=(8, 8, 3),
        placement=placement,
    )


def measure(model):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 8, 8, 3)).astype("uint8")
    labels = generator.integers(0, 10, 6)
    total = propagation.at_inputs(model, images, labels)
    units = [x for x in model.layers if "_unit" in x.name]
    return units, total, propagation.through_shortcuts(units, total)


@pytest.mark.parametrize(
    "variant, factor",
    [
        ("resnet110", 1.0),
        ("resnet110_constant_scaling_branch_1", 0.5),
        ("resnet110_constant_scaling", 0.5),
    ],
)
def test_shortcuts_alone_pass_on_the_product_of_lambdas(variant, factor):
    _, total, alone = measure(make(variant))
    assert alone[UNITS] is None  # changes the shape
    for last, before in ((UNITS - 1, UNITS - 1), (2 * UNITS - 1, UNITS - 2)):
        for k in range(before + 1):
            # Powers of two: exact in float32.
            np.testing.assert_array_equal(
                alone[last - k], factor**k * total["gradients"][last]
            )


def test_relu_after_addition_breaks_the_product():
    _, total, alone = measure(make("resnet110", "original"))
    last = UNITS - 1
    assert not np.allclose(alone[last - 1], total["gradients"][last])


@pytest.mark.parametrize("variant", ["resnet110", "resnet110_constant_scaling"])
def test_the_gradient_is_the_shortcuts_part_and_the_rest(variant):
    units, total, _ = measure(make(variant))
    for i in range(len(units) - 1):
        parts = [
            propagation.back(
                units[i], total["inputs"][i], total["gradients"][i + 1], hold
            ).numpy()
            for hold in ("branch", "shortcut")
        ]
        whole = total["gradients"][i].numpy()
        scale = np.abs(whole).max()
        np.testing.assert_allclose(sum(parts), whole, atol=1e-5 * scale)
        assert np.abs(parts[1]).max() > 1e-3 * scale


@pytest.mark.parametrize(
    "variant", ["resnet110", "resnet110_constant_scaling", "plainnet110"]
)
def test_a_unit_is_walked_as_the_network_runs_it(variant):
    units, total, _ = measure(make(variant, "original"))
    for unit, x in zip(units, total["inputs"], strict=True):
        np.testing.assert_allclose(
            propagation.forward(unit, x), unit(x, training=True), atol=1e-5
        )


def test_plain_units_have_no_shortcut_to_pass():
    _, _, alone = measure(make("plainnet110", "original"))
    assert alone == [None] * 2 * UNITS


def test_gates_are_refused():
    with pytest.raises(UsageError, match="stage1_unit1 with a gate"):
        measure(make("resnet110_exclusive_gating"))


def test_the_product_is_eq_8s():
    np.testing.assert_allclose(
        propagation.product([0.5, 0.5, 0.5]), np.log10([0.25, 0.5, 1])
    )
    assert propagation.product([1.0, 0.0]) is None


def test_a_gradient_that_is_zero_is_no_number():
    assert propagation._log10_norm(np.zeros(3, "float32")) is None
    tiny = np.full(100, 1e-30, "float32")  # squares vanish in float32
    assert propagation._log10_norm(tiny) == pytest.approx(-29, abs=1e-3)
