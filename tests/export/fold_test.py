"""A folded network equals its network, without batch normalisation."""

import dataclasses

import keras
import numpy as np
import own_network
import pytest
from exported_networks import network
from exported_networks import randomize

import keras_resnet
from keras_resnet.export.folding.fold import fold
from keras_resnet.networks import specs
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import Affine
from keras_resnet.networks.operations import BatchNormalization

TINY = {"filters": (16,), "depths": (1,)}
SMALL = {"filters": (16, 16), "depths": (2, 1)}
WIDE = {**SMALL, "input_shape": (32, 32, 3)}
CASES = [
    *(("resnet20", {"placement": name, **TINY}) for name in specs.PLACEMENTS),
    *((f"resnet{name}", WIDE) for name in ("18", "50", "50_v1_5", "50_v2")),
    ("resnet50_v2_timm", WIDE),
    ("resnet50_v2_keras", {**WIDE, "depths": (2, 2)}),
    ("resnet50_d", {**WIDE, "input_shape": (75, 75, 3)}),
    ("resnext50_32x4d", {**WIDE, "filters": (16, 32)}),
    ("resnet20", {"input_shape": (16, 16, 1), **TINY}),
    ("resnet20", {"input_shape": (None, None, 3), **TINY}),
]


def _logits(model, images):
    logits = keras_resnet.logits(model)(images, training=False)
    return np.asarray(logits, np.float64)


def _images(model, count=4):
    _, height, width, channels = model.input_shape
    shape = (count, height or 16, width or 16, channels)
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, shape).astype(np.float32)


def _difference(model, other):
    """The largest difference of logits, in their standard deviations."""
    images = _images(model)
    expected = _logits(model, images)
    return abs(_logits(other, images) - expected).max() / expected.std()


def _layers(model, kind):
    return [
        layer for layer in model._flatten_layers() if isinstance(layer, kind)
    ]


def _strides(model):
    return {
        layer.name: layer.strides
        for layer in _layers(model, ResidualUnit)
        if layer.strides > 1
    }


# Normalisations that no convolution precedes: one before each of 3 units but
# the first, and the last one. timm's has one before the first unit too.
AFFINE = {"resnet50": 0, "resnet50_v2": 3, "resnet50_v2_timm": 4}
# 3x3 convolutions keep their strides.
STRIDED = ("resnet18", "resnet50_v1_5")


@pytest.mark.parametrize("variant, choices", CASES, ids=str)
def test_folded_equals_the_network(variant, choices):
    model = network(variant, **choices)
    copy = fold(model)
    assert not _layers(copy, BatchNormalization)
    if variant in AFFINE:
        assert len(_layers(copy, Affine)) == AFFINE[variant]
    if variant in STRIDED:
        assert _strides(copy) == _strides(model) == {"stage2_unit1": 2}
    assert _difference(model, copy) < 1e-5


def test_a_folded_weight_that_is_wrong_is_seen():
    model = network()
    copy = fold(model)
    bias = copy.get_layer("stage2_unit1").branch[1 + 1]  # pad, conv, bias
    assert bias.name == "bias1"
    bias.bias.assign(bias.bias + 1e-3)
    assert _difference(model, copy) > 1e-4


@pytest.fixture(scope="module")
def once():
    return fold(network("resnet50_v2", **WIDE))


def test_folding_twice_is_folding_once(once):
    twice = fold(once)
    assert _difference(once, twice) == 0
    twice.get_layer("logits").bias.assign(np.ones(10))
    assert _difference(once, twice) > 0  # a copy


@pytest.mark.parametrize("variant", ["resnet50", "resnet50_v2"])
def test_pixels_that_no_unit_reads_are_not_computed(variant):
    """They are 3 of 4 pixels of the last two convolutions in two units."""
    filters = (8, 16, 32)
    model = keras_resnet.build(variant, depths=(2, 2, 1), filters=filters)
    copy = fold(model)
    assert _strides(model) == {f"stage{i}_unit1": 2 for i in (2, 3)}
    assert _strides(copy) == {f"stage{i}_unit2": 2 for i in (1, 2)}
    # Each stage has half the side and twice the filters: the same product.
    square, pointwise = 56**2 * 9 * 8 * 8, 56**2 * 8 * 32
    saved = 2 * (square + pointwise) * 3 // 4
    before = keras_resnet.multiply_adds(model)
    assert keras_resnet.multiply_adds(copy) == before - saved


BLOCKS = {
    **{name: row for name, row in specs.BLOCKS.items() if row.groups == 1},
    "grouped": dataclasses.replace(specs.BLOCKS["resnext_32x4d"], groups=3),
    # Between pixels, where "same" and a stride pad differently; the stride
    # moves before two convolutions; and nowhere.
    "even": specs.Block(kernels=(1, 2, 1), widths=(1, 1, 4), strided=0),
    "long": specs.Block(kernels=(1, 5, 1, 1), widths=(1, 1, 1, 2), strided=0),
    "pointwise": specs.Block(kernels=(1, 1), widths=(1, 2), strided=0),
}
MOVE = {"bottleneck", "long", "pointwise"}
# Shortcuts that differ only in the initial bias of a gate are the same here:
# all biases are drawn.
SHORTCUTS = {
    dataclasses.replace(row, gate_bias=0.0): name
    for name, row in reversed(specs.SHORTCUTS.items())
}


def _pairs():
    """(block, shortcut): every block meets B, every other shortcut two blocks.

    One of those two blocks moves its stride.
    """
    moving = [name for name in BLOCKS if name in MOVE]
    staying = [name for name in BLOCKS if name not in MOVE]
    found = [(block, "B") for block in BLOCKS]
    rest = [name for name in SHORTCUTS.values() if name != "B"]
    for number, shortcut in enumerate(rest):
        found.append((moving[number % len(moving)], shortcut))
        found.append((staying[number % len(staying)], shortcut))
    return found


def _units(chain, channels=3, **rows):
    """A network of units with these strides and random weights."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((13, 14, channels))
    width = 3 * rows["block"].expansion
    for number, strides in enumerate(chain, start=1):
        x = ResidualUnit(
            3,
            strides=strides,
            agrees=strides == 1 and x.shape[-1] == width,
            name=f"stage1_unit{number}",
            **rows,
        )(x)
    model = keras.Model(image, x)
    randomize(model)
    return model


def _map_difference(model, other):
    """The largest difference of any output, in its standard deviations."""
    images = _images(model, 2) / 64
    expected, actual = (
        [np.asarray(x) for x in keras.tree.flatten(m(images, training=False))]
        for m in (model, other)
    )
    pairs = zip(expected, actual, strict=True)
    return max(abs(a - b).max() / a.std() for a, b in pairs)


PLACEMENTS = list(specs.PLACEMENTS.values())


@pytest.mark.parametrize("number, pair", list(enumerate(_pairs())), ids=str)
def test_blocks_shortcuts_and_strides_are_folded(number, pair):
    # The placements take turns, and each round starts with another one. So each
    # meets units that move their strides and units that keep them.
    block, shortcut = pair
    number += number // len(PLACEMENTS)
    chain = (1, 3) if number % 3 == 0 else (1, 2)
    model = _units(
        chain,
        block=BLOCKS[block],
        shortcut=specs.SHORTCUTS[shortcut],
        placement=PLACEMENTS[number % len(PLACEMENTS)],
    )
    copy = fold(model)
    moves = block in MOVE and shortcut != "D"  # a mean of 2 x 2 pixels
    assert _strides(copy) == {f"stage1_unit{1 if moves else 2}": chain[1]}
    assert _map_difference(model, copy) < 1e-5


B, D = specs.SHORTCUTS["B"], own_network.SHORTCUT


@pytest.mark.parametrize(
    "place, shortcut, can_move",
    [
        ({"after": ("bn", "se")}, B, False),
        ({"after": ("bn",), "after_add": ("relu", "se")}, B, False),
        # Also in the unit that skips pixels, before it does.
        ({"before": ("se",), "after": ("bn",)}, B, False),
        # A pool of 2 x 2 pixels in the shortcut.
        ({"after": ("bn",), "after_add": ("relu",)}, D, False),
        ({"after": ("bn",), "after_add": ("relu",)}, B, True),
    ],
)
def test_what_mixes_pixels_sees_all_of_them(place, shortcut, can_move):
    model = _units(
        (1, 2),
        channels=4,
        block=specs.BLOCKS["bottleneck"],
        shortcut=shortcut,
        placement=specs.Placement(between=("bn", "relu"), **place),
    )
    copy = fold(model)
    assert _strides(copy) == {f"stage1_unit{1 if can_move else 2}": 2}
    assert _map_difference(model, copy) < 1e-5


def _with_head(*names):
    """A function that gives a network a head that reads only these maps."""

    def attach(body):
        maps = keras_resnet.features(body).output
        means = [keras.layers.GlobalAveragePooling2D()(maps[n]) for n in names]
        return keras.Model(body.input, keras.layers.Concatenate()(means))

    return attach


def _pyramid(body):
    """Feature pyramids: every map, each with the next one added to it."""
    maps = keras_resnet.features(body).output
    lateral = {
        name: keras.layers.Conv2D(8, 1)(maps[name])
        for name in ("C3", "C4", "C5")
    }
    for name, above in (("C4", "C5"), ("C3", "C4")):
        larger = keras.layers.UpSampling2D()(lateral[above])
        lateral[name] = keras.layers.Add()([lateral[name], larger])
    return keras.Model(body.input, list(lateral.values()))


READERS = {
    "C4 and C5": (_with_head("C4", "C5"), 2),
    "pyramid": (_pyramid, 1),  # C2 alone is read by the next stage only
    "C5 alone": (_with_head("C5"), 3),
    "all that are asked for": (keras_resnet.features, 0),
}


@pytest.mark.parametrize(
    "variant, reader",
    [
        ("resnet50", "C4 and C5"),
        ("resnet50", "pyramid"),
        ("resnet50_v2", "C5 alone"),
        ("resnet50_v2", "all that are asked for"),
    ],
)
def test_a_map_with_another_reader_keeps_its_size(variant, reader):
    attach, moved = READERS[reader]
    body = network(
        variant,
        include_top=False,
        filters=(4, 4, 8, 8),
        depths=(2, 2, 2, 1),
        input_shape=(64, 64, 3),
    )
    model = attach(body)
    copy = fold(model)
    ends = [name for name in _strides(copy) if name.endswith("unit2")]
    assert len(ends) == moved
    assert _map_difference(model, copy) < 1e-4  # 0.02 or more if moved


def test_pixels_are_no_longer_divided():
    copy = fold(network())
    assert [w.name for w in copy.get_layer("pixels").weights] == ["mean"]


def test_weights_of_any_scale_keep_their_digits():
    """Folding uses float64: a BN of tiny variance scales by hundreds."""
    model = network()
    for weight in model.weights:
        if weight.name == "moving_variance":
            weight.assign(weight * 1e-4)
    assert _difference(model, fold(model)) < 1e-5


def test_a_folded_network_is_saved_and_loaded(once, tmp_path):
    once.save(tmp_path / "folded.keras")
    again = keras.saving.load_model(tmp_path / "folded.keras", compile=False)
    assert _difference(once, again) == 0
