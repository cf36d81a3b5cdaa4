"""Every row of the table: its golden sizes, and that a file brings it back."""

import dataclasses
import re

import goldens
import keras
import numpy as np
import programs
import pytest
from distinct import images
from distinct import set_distinct
from distinct import small
from small_weights import assert_equal_weights

import keras_resnet
from keras_resnet.networks import specs

sizes = programs.module("reproduction.sizes")


def _alike(name):
    """A row without its numbers of units and its factors."""
    row = specs.VARIANTS[name]
    shortcut = dataclasses.replace(
        specs.SHORTCUTS[row.shortcut], scale=1, branch_scale=1, gate_bias=0
    )
    depths = (2,) * len(row.depths)
    return dataclasses.replace(
        row, reference="", depths=depths, shortcut=shortcut
    )


# {a row: its names}. They are counted on one network of two units a stage, as a
# longer stage only has more of the same. One long row is built whole.
ALIKE = {
    row: [name for name in specs.VARIANTS if _alike(name) == row]
    for row in map(_alike, specs.VARIANTS)
}
WHOLE = "resnet20"


@pytest.mark.parametrize("names", ALIKE.values(), ids=lambda names: names[0])
def test_sizes_are_the_golden_ones(names):
    model = sizes.build_short(names[0])
    assert model.name == names[0]
    for name in names:
        depths = specs.VARIANTS[name].depths
        size = sizes.of_short(model, depths)
        assert_golden(name, size, sizes.layers_of_short(model, depths))


def test_a_row_that_is_built_whole_has_the_same_size():
    model = keras_resnet.build(WHOLE)
    assert_golden(WHOLE, sizes.count(model), model.layers)


def assert_golden(name, size, layers):
    """Asserts all that the papers and their authors' code say about a row.

    Args:
        name: of the row.
        size: `Size` of its network.
        layers: of the network, in order.
    """
    golden = goldens.GOLDENS[name]
    assert size.parameters == golden.trainable_parameters, golden.source
    assert size.multiply_adds == golden.multiply_adds
    flat = [leaf for layer in layers for leaf in layer._flatten_layers()]
    assert_depth_is_weighted_layers(flat, specs.VARIANTS[name].depth)
    assert_bias_and_batch_norm_are_the_authors(flat)


def assert_depth_is_weighted_layers(flat, depth):
    """P1 counts convolutions and the classifier, projections excluded."""
    names = [leaf.name for leaf in flat]
    counted = [n for n in names if re.fullmatch(r"conv\d+|logits", n)]
    assert len(counted) == depth


def assert_bias_and_batch_norm_are_the_authors(flat):
    for leaf in flat:
        if isinstance(leaf, keras.layers.Conv2D):
            assert (leaf.bias is not None) == (leaf.name == "gate")
        elif isinstance(leaf, keras.layers.BatchNormalization):
            assert (leaf.momentum, leaf.epsilon) == (0.9, 1e-5)


# Rows that differ from another one in a number, or (conv1x1 from C) in nothing.
NUMBERS = re.compile("_bias_(0|minus_.)|_branch_1|conv1x1|resnext_(32x8|64x4)d")
TABLES = {
    # Their stages stride in the first unit and in the last.
    "variant": ("resnet20", "resnet50_v2_keras"),
    "depths": ((2, 1), (2, 2)),
    **{
        name: [row for row in table if not NUMBERS.search(row)]
        for name, table in specs.TABLES.items()
    },
}
# Together these networks use every row of every table at least once.
KINDS = [
    {name: rows[i % len(rows)] for name, rows in TABLES.items()}
    for i in range(max(map(len, TABLES.values())))
]


@pytest.mark.parametrize("choices", KINDS, ids=lambda c: c["shortcut"])
def test_a_file_brings_every_weight_back(choices, tmp_path):
    stem = specs.STEMS[choices["stem"]]
    stem = dataclasses.replace(
        stem, convolutions=[(f // 4, *rest) for f, *rest in stem.convolutions]
    )
    small = {"filters": (16, 32), "classes": 10, "input_shape": (16, 16, 3)}
    model = keras_resnet.build(**{**choices, **small, "stem": stem})
    assert_comes_back(model, tmp_path)


def assert_comes_back(model, tmp_path):
    set_distinct(model)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal_weights(model, twin)
    assert twin.to_json() == model.to_json()
    x = images(2, *model.input_shape[1:])
    y = np.asarray(keras_resnet.logits(model)(x))
    assert np.isfinite(y).all() and y.std() > 0
    np.testing.assert_array_equal(keras_resnet.logits(twin)(x), y)


@pytest.mark.large
@pytest.mark.parametrize("name", specs.VARIANTS)
def test_every_row_as_a_whole(name, tmp_path):
    model = keras_resnet.build(name)
    assert_golden(name, sizes.count(model), model.layers)
    assert_comes_back(model, tmp_path)


def test_swapped_weights_do_not_pass_for_equal():
    """The negative control of `assert_equal_weights`."""
    model, twin = small(), small()
    assert_equal_weights(model, twin)
    _, bn, *_ = twin.get_layer("stage1_unit1").branch
    bn.set_weights([bn.beta, bn.gamma, *bn.get_weights()[2:]])
    with pytest.raises(AssertionError, match="stage1_unit1/bn1/gamma"):
        assert_equal_weights(model, twin)
