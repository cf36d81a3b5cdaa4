"""The folded network is the network, without batch normalisation."""

import keras
import numpy as np
import pytest
from exported_networks import network
from exported_networks import randomize

import keras_resnet
from keras_resnet import specs
from keras_resnet.export.fold import folded
from keras_resnet.export.fold import folded_ops
from keras_resnet.layers import ResidualUnit
from keras_resnet.operations import Affine
from keras_resnet.operations import BatchNormalization

SMALL = {"filters": (8, 16, 16, 16), "depths": (2, 1, 1, 1)}
CASES = {
    **{
        f"{placement}-{shortcut}": (
            "resnet20",
            {"placement": placement, "shortcut": shortcut},
        )
        for placement in specs.PLACEMENTS
        for shortcut in ("A", "B", "C", "none")
    },
    **{
        shortcut: ("resnet20", {"shortcut": shortcut})
        for shortcut in specs.SHORTCUT_ABLATIONS
    },
    **{
        variant: (variant, {**SMALL, "input_shape": (32, 32, 3)})
        for variant in ("resnet18", "resnet50", "resnet50_v1_5", "resnet50_v2")
    },
    "resnet50_v2_timm": (
        "resnet50_v2_timm",
        {**SMALL, "input_shape": (32, 32, 3)},
    ),
    # Strides move, where numbers of pixels are odd too.
    **{
        f"bottleneck-{placement}-{shortcut}": (
            "resnet164",
            {
                "placement": placement,
                "shortcut": shortcut,
                "depths": (2, 2, 1),
                "filters": (4, 8, 8),
                "input_shape": (15, 18, 3),
            },
        )
        for placement, shortcut in (
            *((placement, "B") for placement in specs.PLACEMENTS),
            *(("full_preact", shortcut) for shortcut in specs.SHORTCUTS),
        )
    },
    "grey": ("resnet20", {"input_shape": (16, 16, 1)}),
    "any size": ("resnet20", {"input_shape": (None, None, 3)}),
}


def _logits(model, images):
    logits = keras_resnet.logits(model).predict_on_batch(images)
    return np.asarray(logits, np.float64)


def _images(model, count=4):
    _, height, width, channels = model.input_shape
    shape = (count, height or 16, width or 16, channels)
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, shape).astype(np.float32)


def _difference(model, other):
    """Of the logits, in their standard deviations."""
    images = _images(model)
    expected = _logits(model, images)
    return abs(_logits(other, images) - expected).max() / expected.std()


def _layers(model, kind):
    return [
        layer for layer in model._flatten_layers() if isinstance(layer, kind)
    ]


@pytest.mark.parametrize("case", CASES)
def test_folded_equals_the_network(case):
    variant, choices = CASES[case]
    model = network(variant, **choices)
    copy = folded(model)
    assert not _layers(copy, BatchNormalization)
    assert _difference(model, copy) < 1e-5


def test_a_folded_weight_that_is_wrong_is_seen():
    model = network()
    copy = folded(model)
    bias = copy.get_layer("stage2_unit1").branch[1 + 1]  # pad, conv, bias
    assert bias.name == "bias1"
    bias.bias.assign(bias.bias + 1e-3)
    assert _difference(model, copy) > 1e-4


@pytest.mark.parametrize(
    "variant, left",
    # One before each unit but the first, and the last; timm's has all.
    [("resnet50", 0), ("resnet50_v2", 16), ("resnet50_v2_timm", 17)],
)
def test_only_what_no_convolution_precedes_stays(variant, left):
    filters = (8, 8, 8, 8)
    model = keras_resnet.build(
        variant, filters=filters, classes=10, input_shape=(32, 32, 3)
    )
    copy = folded(model)
    assert len(_layers(copy, Affine)) == left
    assert not _layers(copy, BatchNormalization)


def test_a_half_precision_network_is_folded_in_float32():
    full = network(dtype="float32")
    half = network(dtype="mixed_bfloat16")
    half.set_weights(full.get_weights())
    copy = folded(half)
    policies = {layer.dtype_policy.name for layer in copy._flatten_layers()}
    assert policies == {"float32"}
    assert _difference(full, copy) < 1e-5
    assert _difference(full, half) > 1e-4


def test_folding_twice_is_folding_once():
    once = folded(network("resnet50_v2"))
    twice = folded(once)
    assert _difference(once, twice) == 0
    once.get_layer("logits").bias.assign(np.ones(10))
    assert _difference(once, twice) > 0  # a copy


def _strides(model):
    return {
        layer.name: layer.strides
        for layer in _layers(model, ResidualUnit)
        if layer.strides > 1
    }


@pytest.mark.parametrize("variant", ["resnet50", "resnet50_v2"])
def test_pixels_that_no_unit_reads_are_not_computed(variant):
    """Three in four of three units' last two convolutions."""
    model = keras_resnet.build(variant)
    copy = folded(model)
    assert _strides(model) == {f"stage{i}_unit1": 2 for i in (2, 3, 4)}
    assert _strides(copy) == {
        "stage1_unit3": 2,
        "stage2_unit4": 2,
        "stage3_unit6": 2,
    }
    # Each stage has half the side and twice the filters: the same product.
    square, pointwise = 56**2 * 9 * 64 * 64, 56**2 * 64 * 256
    saved = 3 * (square + pointwise) * 3 // 4
    before = keras_resnet.multiply_adds(model)
    assert keras_resnet.multiply_adds(copy) == before - saved


@pytest.mark.parametrize("variant", ["resnet18", "resnet50_v1_5", "resnet20"])
def test_strides_of_3x3_convolutions_stay(variant):
    model = network(variant, input_shape=(32, 32, 3))
    assert _strides(folded(model)) == _strides(model)


def test_feature_maps_that_are_asked_for_stay_whole():
    model = network("resnet50", **CASES["resnet50"][1])
    maps = keras_resnet.features(model)
    images = _images(model)
    expected, actual = (
        m.predict_on_batch(images) for m in (maps, folded(maps))
    )
    for name, values in expected.items():
        spread = values.std()
        np.testing.assert_allclose(actual[name], values, atol=1e-5 * spread)


def test_pixels_are_no_longer_divided():
    copy = folded(network())
    assert [w.name for w in copy.get_layer("pixels").weights] == ["mean"]


def test_weights_of_any_scale_keep_their_digits():
    """Folded in float64: a BN of tiny variance scales by hundreds."""
    model = network()
    for weight in model.weights:
        if weight.name == "moving_variance":
            weight.assign(weight * 1e-4)
    assert _difference(model, folded(model)) < 1e-5


def test_networks_without_our_head_or_pixels_are_folded():
    model = keras_resnet.build(
        "resnet20",
        depths=(1, 1, 1),
        include_top=False,
        pooling="avg",
        input_shape=(16, 16, 3),
    )
    randomize(model)
    images = _images(model)
    expected = model.predict_on_batch(images)
    actual = folded(model).predict_on_batch(images)
    np.testing.assert_allclose(actual, expected, atol=1e-5 * expected.std())


def test_a_folded_network_is_saved_and_loaded(tmp_path):
    copy = folded(network("resnet50_v2"))
    copy.save(tmp_path / "folded.keras")
    again = keras.saving.load_model(tmp_path / "folded.keras", compile=False)
    assert _difference(copy, again) == 0


@pytest.mark.parametrize(
    "names, previous, expected",
    [
        (("conv", "bn", "relu", "pool"), None, "conv bias relu pool"),
        (("bn", "relu"), None, "affine relu"),
        (("bn", "relu"), "conv", "bias relu"),
        (("relu", "bn"), "conv", "relu affine"),
        ((), "conv", ""),
    ],
)
def test_a_row_is_transformed(names, previous, expected):
    assert folded_ops(names, previous) == expected.split()
