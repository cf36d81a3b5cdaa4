"""The drawing of a network is what its tables say."""

import re
from xml.etree import ElementTree

import programs
import pytest

from keras_resnet.networks import specs

architecture = programs.module("architecture")


@pytest.mark.parametrize("name", specs.VARIANTS)
def test_every_network_is_drawn(name):
    picture = architecture.svg(name)
    words = [node.text for node in ElementTree.fromstring(picture).iter()]
    row = specs.VARIANTS[name]
    assert f"{name}, {row.depth} layers" in words
    assert f"stage{len(row.depths)}: {row.depths[-1]} units" in words
    assert (f"shortcut {row.shortcut}" in words) == ("plain" not in name)


def test_maps_have_the_sizes_of_the_paper():
    """P1 Table 1, column "output size", and the filters of 50 layers."""
    found = architecture.parts(specs.VARIANTS["resnet50"])
    shapes = [shape for _, _, shape in found[1:5]]
    assert shapes == ["56x56x256", "28x28x512", "14x14x1024", "7x7x2048"]
    assert found[3][1] == ["1x1, 256", "3x3, 256", "1x1, 1024"]


def test_a_unit_is_that_of_the_figure():
    """P2 Fig. 4(a) and (e)."""
    original, after = architecture.unit(specs.VARIANTS["resnet18"])
    assert original == ["3x3", "BN", "ReLU", "3x3", "BN"] and after == ["ReLU"]
    full, after = architecture.unit(specs.VARIANTS["resnet18_v2"])
    assert full == ["BN", "ReLU", "3x3", "BN", "ReLU", "3x3"] and not after


def test_the_pages_have_the_drawing_of_today():
    page = (programs.ROOT / "docs" / "BACKBONE.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"\((\w+)\.svg\)", page)
    kept = (programs.ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == architecture.svg(name)
