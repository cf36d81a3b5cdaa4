"""Untrusted names, printed on a terminal and written to a spreadsheet."""

import csv
import socket

import numpy as np
import pytest
from absl import logging
from PIL import Image

from keras_resnet import errors
from keras_resnet.data import datasets
from keras_resnet.data.stores import cells
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import inspection_report
from keras_resnet.errors import UsageError

TITLE = "\x1b]0;owned\x07"
SAFE = [
    "plain.png",
    "caf\u00e9",
    "\u732b",
    "a b",
    "\U0001f469\u200d\U0001f680",
    "a\u3000b",
]
HARMFUL = {
    TITLE: r"\x1b]0;owned\x07",
    "a\nb": r"a\nb",
    "a\rb": r"a\rb",
    "\x9b31m": r"\x9b31m",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\u2028": r"\u2028",
    "\udcff": r"\xff",
}


@pytest.mark.parametrize("name", HARMFUL, ids=ascii)
def test_what_controls_a_terminal_becomes_an_escape(name):
    assert errors.printable(name) == HARMFUL[name]
    assert errors.printable(HARMFUL[name]).isprintable()


def test_all_other_names_are_as_they_are():
    assert list(map(errors.printable, SAFE)) == SAFE
    assert errors.printable_lines("one\ntwo\x1b") == "one\ntwo\\x1b"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\tx",
        "\r",
        "'=x",
        "''@x",
        "x",
        "'x",
        "",
        "a=1",
    ],
)
def test_a_cell_is_no_formula_and_is_read_as_it_was(text):
    cell = cells.write(text)
    assert cell[:1] not in tuple("=+-@\t\r")
    assert cells.read(cell) == text
    if not cells._FORMULA.match(text):
        assert cell == text


def test_numbers_stay_numbers():
    assert cells.write(-1.5) == -1.5


@pytest.fixture
def folder(tmp_path):
    """Two classes, one named like a formula; file names with control codes."""
    for number, name in enumerate(("=cmd' -C'!A0", "cat")):
        (tmp_path / "all" / name).mkdir(parents=True)
        for i in range(4):
            file = f"{TITLE}{i}.png" if i == 3 else f"{i}.png"
            pixels = Image.new("RGB", (4, 4), (i, number, 9))
            pixels.save(tmp_path / "all" / name / file)
    (tmp_path / "all" / "cat" / f"{TITLE}bad.png").write_bytes(b"no image")
    return tmp_path / "all"


def test_inspection_prints_and_writes_them_harmlessly(folder, tmp_path):
    found = inspection.survey(datasets.load(f"folder:{folder}", "train"))
    text = "\n".join(inspection_report.lines(found, exif="ignore"))
    assert "=cmd" in text
    assert errors.printable_lines(text) == text
    inspection.write_classes(found, tmp_path / "classes.csv")
    with open(tmp_path / "classes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["'=cmd' -C'!A0", "cat"]
    assert cells.read(rows[0]["class"]) == "=cmd' -C'!A0"


def test_a_table_that_we_wrote_is_read_as_it_was(folder, tmp_path):
    name = "=cmd' -C'!A0"
    rows = [(f"all/{name}/{i}.png", name, "train") for i in range(3)]
    rows += [(f"all/cat/{i}.png", "cat", "train") for i in range(3)]
    rows += [("all/cat/2.png", "cat", "validation")]
    del rows[-2]
    (tmp_path / "=x.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    rows.append(("=x.png", "cat", "train"))
    table = tmp_path / "all.csv"
    inspection.write_csv(table, ("path", "label", "split"), rows)
    assert "'=x.png" in table.read_text()
    split = datasets.load(f"csv:{table}", "train")
    assert split.class_names == (name, "cat")
    assert np.bincount(split.labels).tolist() == [3, 3]


def test_a_log_of_a_command_controls_no_terminal(capsys):
    from keras_resnet.commands import running

    record = logging.get_absl_logger().makeRecord(
        "absl", 30, __file__, 1, "Masked %s: %s", (TITLE, "why"), None
    )
    assert running._make_printable(record)
    assert record.getMessage() == r"Masked \x1b]0;owned\x07: why"


NAMES = [
    "tfds:../x",
    "../../etc/passwd",
    "mnist/../x",
    "huggingface:mnist",
    "hf:user/data",
    "http://evil.example/x",
    "gs://bucket/x",
    "a/b/c/d",
    "mnist:1.*.*@evil",
    "no_such_set_of_images",
    "tfds:",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_none_of_tfds_asks_no_host(name, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_: asked.append(a))
    monkeypatch.setattr(
        socket.socket, "connect", lambda *a, **_: asked.append(a)
    )
    with pytest.raises(UsageError, match="Unknown data set") as raised:
        datasets.load(name, "train", data_dir=str(tmp_path))
    assert "\n" not in str(raised.value)
    assert not asked
