"""docs/MODELS.md and its picture are what the command writes."""

import pathlib
import re
import subprocess
import sys

import goldens
import programs
import pytest

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "pipelines" / "zoo.py"


@pytest.fixture(scope="module")
def zoo():
    """The command as a module."""
    return programs.module("zoo")


@pytest.fixture(scope="module")
def docs(zoo):
    if not zoo.DOCS.is_dir():
        pytest.skip("docs/ is not beside the tests")
    return zoo.DOCS


def golden_size(zoo, name):
    golden = goldens.GOLDENS[name]
    return zoo.sizes_lib.Size(golden.trainable_parameters, golden.multiply_adds)


@pytest.fixture(scope="module")
def golden_sizes(zoo):
    return {name: golden_size(zoo, name) for name in specs.VARIANTS}


def test_the_files_are_up_to_date(zoo, docs, golden_sizes):
    """With sizes from the goldens, which needs no network to be built."""
    text = zoo.markdown(golden_sizes)
    zoo.check(docs, text, zoo.points(golden_sizes))


def test_two_units_a_stage_stand_for_all(zoo):
    model = keras_resnet.build("resnet32")
    assert zoo.sizes_lib.measure("resnet32") == zoo.sizes_lib.count(model)


@pytest.mark.large
def test_the_command_finds_the_files_up_to_date(docs):
    result = subprocess.run(
        [sys.executable, PROGRAM, "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "up to date" in result.stdout


def test_every_network_and_every_tag_is_in_the_table(zoo, golden_sizes):
    text = zoo.markdown(golden_sizes)
    assert set(re.findall(r"^\| `(\w+)` \| \d", text, re.M)) == set(
        specs.VARIANTS
    )
    for row in keras_resnet.list_weights():
        assert f"| `{row.variant}` | `{row.tag}` | " in text


def test_what_nobody_published_says_so(zoo, golden_sizes):
    cells = zoo.network_cells("resnet18_c", golden_sizes["resnet18_c"])
    assert cells[-2:] == ["none", "not published"]


@pytest.mark.parametrize("damage", ["no table", "old table", "old picture"])
def test_files_that_are_not_up_to_date_are_refused(
    damage, zoo, golden_sizes, tmp_path
):
    series = zoo.points(golden_sizes)
    text = zoo.markdown(golden_sizes)
    table, picture = tmp_path / zoo.TABLE, tmp_path / zoo.PICTURE
    table.write_text(text)
    zoo.draw(series, picture)
    zoo.check(tmp_path, text, series)
    if damage == "no table":
        table.unlink()
    elif damage == "old table":
        table.write_text(text.replace("74.9", "74.8"))
    else:
        zoo.draw(dict(series, imagenet=series["imagenet"][:2]), picture)
    file = zoo.PICTURE if damage == "old picture" else zoo.TABLE
    with pytest.raises(UsageError, match=f"{file}.*Run: python"):
        zoo.check(tmp_path, text, series)


def test_the_picture_shows_what_was_published(zoo, golden_sizes):
    series = zoo.points(golden_sizes)
    assert sum(map(len, series.values())) == len(keras_resnet.list_weights())
    assert series["imagenet"][0] == (3.857973248, 74.9, 50)
