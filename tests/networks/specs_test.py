"""The tables: complete, consistent and equal to what the papers print."""

import dataclasses
import math
import re

import goldens
import pytest

from keras_resnet.errors import UsageError
from keras_resnet.networks import papers
from keras_resnet.networks import specs

NAMES = sorted(specs.VARIANTS)


def test_every_variant_has_a_golden_and_every_golden_a_variant():
    missing = specs.VARIANTS.keys() - goldens.GOLDENS.keys()
    stale = goldens.GOLDENS.keys() - specs.VARIANTS.keys()
    assert not missing, f"Add to tests/support/goldens.py: {sorted(missing)}"
    assert not stale, f"Remove from tests/support/goldens.py: {sorted(stale)}"


@pytest.mark.parametrize("name", NAMES)
def test_depth_is_the_number_in_the_name(name):
    """ResNet-D has two more layers, which its authors do not count."""
    number = int(re.search(r"\d+", name)[0])
    more = 2 if name.endswith("_d") else 0
    assert specs.VARIANTS[name].depth == number + more


@pytest.mark.parametrize(
    "name, strides",
    [
        ("resnet18_v2", ((1, 1), (2, 1), (2, 1), (2, 1))),
        # keras/src/applications/resnet_v2.py, stack_residual_blocks_v2.
        (
            "resnet50_v2_keras",
            ((1, 1, 2), (1, 1, 1, 2), (1, 1, 1, 1, 1, 2), (1, 1, 1)),
        ),
    ],
)
def test_a_stage_strides_in_one_unit(name, strides):
    assert specs.VARIANTS[name].strides == strides


@pytest.mark.parametrize(
    "choices", [{"strided_unit": 1}, {"depths": (1, 2, 2, 2)}]
)
def test_a_unit_that_cannot_stride_is_refused(choices):
    row = specs.VARIANTS["resnet50_v2_keras"]
    with pytest.raises(UsageError, match="strided_unit must be 0"):
        dataclasses.replace(row, **choices)


def test_groups_that_do_not_divide_the_filters_are_refused():
    with pytest.raises(UsageError, match="32 groups.*filters=24"):
        specs.BLOCKS["resnext_32x4d"].convolutions(24, strides=1)


@pytest.mark.parametrize("name", NAMES)
def test_filters_double_from_stage_to_stage(name):
    """P1 sec. 3.3: half the size, twice the filters."""
    filters = specs.VARIANTS[name].filters
    assert all(b == 2 * a for a, b in zip(filters, filters[1:], strict=False))


@pytest.mark.parametrize(
    "name, before, after_first_conv, after_last_conv, after_add",
    [
        ("original", (), ("bn", "relu"), ("bn",), ("relu",)),
        ("bn_after_add", (), ("bn", "relu"), (), ("bn", "relu")),
        ("relu_before_add", (), ("bn", "relu"), ("bn", "relu"), ()),
        ("relu_preact", ("relu",), ("bn", "relu"), ("bn",), ()),
        ("full_preact", ("bn", "relu"), ("bn", "relu"), (), ()),
    ],
)
def test_placements_are_figure_4_of_the_2016_paper(
    name, before, after_first_conv, after_last_conv, after_add
):
    row = specs.PLACEMENTS[name]
    assert row.before == before
    assert row.between == after_first_conv
    assert row.after == after_last_conv
    assert row.after_add == after_add


# The goldens against each other: two derivations of one number.


@pytest.mark.parametrize("name", sorted(goldens.PUBLISHED_PARAMETERS))
def test_the_formula_gives_the_published_parameters(name):
    published, source = goldens.PUBLISHED_PARAMETERS[name]
    assert goldens.FORMULAS[name][0] == published, source


@pytest.mark.parametrize("name", sorted(goldens.TORCHVISION_GIGAOPS))
def test_the_formula_gives_torchvisions_multiply_adds(name):
    gigaops = goldens.FORMULAS[name][1] / 1e9
    assert round(gigaops, 3) == goldens.TORCHVISION_GIGAOPS[name]


@pytest.mark.parametrize("name", papers.PARAMETERS["P1 Table 6"])
def test_parameters_round_to_table_6_of_the_2015_paper(name):
    figure = papers.PARAMETERS["P1 Table 6"][name]
    decimals = len(figure.split(".")[1])
    millions = goldens.GOLDENS[name].trainable_parameters / 1e6
    assert f"{millions:.{decimals}f}" == figure


@pytest.mark.parametrize("name", papers.MULTIPLY_ADDS["P1 Table 1"])
def test_multiply_adds_are_table_1_of_the_2015_paper(name):
    """Four of the five round to the paper's figure.

    The exact sums are 1.814, 3.644, 3.858, 7.570 and 11.282 billion. The
    50-layer net's 3.858 is the paper's 3.8 only when truncated. The 34-layer
    net has option A (P1 Table 2, Fig. 3).
    """
    figure = float(papers.MULTIPLY_ADDS["P1 Table 1"][name])
    golden = goldens.GOLDENS["resnet34_a" if name == "resnet34" else name]
    exact = golden.multiply_adds / 1e9
    assert abs(exact - figure) < 0.06
    if name == "resnet50":
        assert math.floor(exact * 10) / 10 == figure != round(exact, 1)
    else:
        assert round(exact, 1) == figure


def test_option_b_would_make_the_34_layer_net_of_table_1_round_to_3_7():
    exact = goldens.GOLDENS["resnet34"].multiply_adds / 1e9
    assert round(exact, 3) == 3.664
    assert round(exact, 1) == 3.7


def test_every_network_of_the_papers_tables_is_a_variant():
    for tables in (
        papers.CIFAR_10,
        papers.TEN_CROPS,
        papers.MULTI_SCALE,
        papers.ONE_CROP,
        papers.ONE_CROP_OF_320,
        papers.PARAMETERS,
        papers.MULTIPLY_ADDS,
    ):
        named = set().union(*tables.values()) - {"ensemble"}
        assert named <= set(specs.VARIANTS)


def test_a_figure_is_found_by_its_place_or_at_the_first():
    assert papers.find(papers.CIFAR_10, "resnet110")[1] == "P1 Table 6"
    found = papers.find(papers.CIFAR_10, "resnet110", "P2 Table 1")
    assert found == ("6.61", "P2 Table 1")
    assert papers.find(papers.CIFAR_10, "resnet50") == (None, None)
