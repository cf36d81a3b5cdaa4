"""docs/MODELS.md and its picture are what the command writes."""

import re
import subprocess
import sys

import goldens
import programs
import pytest

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs

PROGRAM = programs.PIPELINES / "zoo.py"


zoo = programs.module("zoo")


def golden_size(name):
    golden = goldens.GOLDENS[name]
    return zoo.sizes_lib.Size(golden.trainable_parameters, golden.multiply_adds)


SIZES = {name: golden_size(name) for name in specs.VARIANTS}
needs_docs = pytest.mark.skipif(
    not zoo.DOCS.is_dir(), reason="docs/ is not beside the tests"
)


@needs_docs
def test_the_files_are_up_to_date():
    """The sizes come from the goldens, so no network is built."""
    text = zoo.markdown(SIZES)
    zoo.check(zoo.DOCS, text, zoo.points(SIZES))


@needs_docs
@pytest.mark.large
def test_the_command_finds_the_files_up_to_date():
    result = subprocess.run(
        [sys.executable, PROGRAM, "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "up to date" in result.stdout


def test_every_network_and_every_tag_is_in_the_table():
    text = zoo.markdown(SIZES)
    assert set(re.findall(r"^\| `(\w+)` \| \d", text, re.M)) == set(
        specs.VARIANTS
    )
    for row in keras_resnet.list_weights():
        assert f"| `{row.variant}` | `{row.tag}` | " in text


def test_what_nobody_published_says_so():
    cells = zoo.network_cells("resnet18_c", SIZES["resnet18_c"])
    assert cells[-2:] == ["none", "not published"]


@pytest.mark.parametrize("damage", ["no table", "old table", "old picture"])
def test_files_that_are_not_up_to_date_are_refused(damage, tmp_path):
    series = zoo.points(SIZES)
    text = zoo.markdown(SIZES)
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


def test_the_picture_shows_what_was_published():
    series = zoo.points(SIZES)
    rows = keras_resnet.list_weights()
    drawn = [row for row in rows if not row.is_repository]
    assert sum(map(len, series.values())) == len(drawn)
    assert series["imagenet"][0] == (3.857973248, 74.9, 50)
