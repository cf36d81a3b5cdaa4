"""Every row of the table: its golden sizes, and a file of it."""

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


# Rows with more units are built with two units in each stage: a longer stage
# only has more of the same. One long row is built whole.
MOST_UNITS = 8


WHOLE = "resnet50"


LONG = [
    name
    for name, row in specs.VARIANTS.items()
    if sum(row.depths) > MOST_UNITS and name != WHOLE
]


@pytest.mark.parametrize("name", sorted({*specs.VARIANTS} - {*LONG}))
def test_sizes_are_the_golden_ones(name):
    model = keras_resnet.build(name)
    assert model.name == name
    assert_golden(name, sizes.count(model), model.layers)


@pytest.mark.parametrize("name", LONG)
def test_sizes_of_a_long_row_are_the_golden_ones(name):
    model, depths = sizes.build_short(name), specs.VARIANTS[name].depths
    size = sizes.of_short(model, depths)
    assert_golden(name, size, sizes.layers_of_short(model, depths))


def assert_golden(name, size, layers):
    """All that the papers and their authors' code say of a row.

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


def _reduced(row):
    """A row of few units and few filters: others are more of the same.

    So is a third stage. The first value of a gate's bias is no matter: every
    weight is another one.
    """
    shortcut = specs.SHORTCUTS[row.shortcut]
    return dataclasses.replace(
        row,
        reference="",
        depths=(2, 2),
        filters=tuple(count // 4 for count in row.filters[:2]),
        shortcut=dataclasses.replace(shortcut, gate_bias=0.0),
    )


# {what is left of a row: the last of its names}.
KINDS = {_reduced(row): name for name, row in specs.VARIANTS.items()}


@pytest.mark.parametrize("name", KINDS.values())
def test_a_file_brings_every_weight_back(name, tmp_path):
    row = _reduced(specs.VARIANTS[name])
    stem = specs.STEMS[row.stem]
    stem = dataclasses.replace(
        stem, convolutions=[(f // 4, *rest) for f, *rest in stem.convolutions]
    )
    model = keras_resnet.build(
        name,
        depths=row.depths,
        filters=row.filters,
        stem=stem,
        input_shape=(32, 32, 3),
    )
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
