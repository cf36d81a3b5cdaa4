"""docs/EXTENDING.md names every register, and only files that exist."""

import importlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "EXTENDING.md").read_text(encoding="utf-8")
MODULES = {
    "augmentations": "keras_resnet.data.pixels.augmentations",
    "datasets": "keras_resnet.data.datasets",
    "formats": "keras_resnet.export.formats",
    "kinds": "keras_resnet.inference.kinds",
    "operations": "keras_resnet.networks.operations",
    "recipes": "keras_resnet.recipes",
    "schedules": "keras_resnet.recipes.schedules",
    "shortcuts": "keras_resnet.networks.shortcuts",
    "specs": "keras_resnet.networks.specs",
}
PLACES = (ROOT, ROOT / "keras_resnet", ROOT / "tests" / "support")


def test_every_register_is_named():
    named = set(re.findall(r"`(\w+)\.register\(", TEXT))
    having = {
        path.stem if path.stem != "table" else path.parent.name
        for path in ROOT.glob("keras_resnet/**/*.py")
        if re.search(r"^def register\(", path.read_text(), re.M)
    }
    assert named == (having - {"errors"}) | {"experiments"}
    assert set(MODULES) == named - {"experiments"}


@pytest.mark.parametrize("module", MODULES.values())
def test_it_is_public_and_says_what_a_row_gives(module):
    register = importlib.import_module(module).register
    assert "Args:" in register.__doc__ and "Raises:" in register.__doc__


def test_every_file_that_it_names_is_there():
    paths = re.findall(r"([\w/]+\.(?:py|md|pyi))\b", TEXT)
    assert len(paths) > 20
    missing = [
        path
        for path in paths
        if not any((place / path).exists() for place in PLACES)
    ]
    assert not missing
