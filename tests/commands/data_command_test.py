"""data.py as a user runs it."""

import csv
import json
import os
import pathlib
import shutil

import numpy as np
import odd_images
import programs
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _run(*arguments):
    return programs.start("data", *arguments, cwd=ROOT)


def test_inspect_prints_draws_and_fails_where_something_is_unreadable(
    dirty, tmp_path
):
    output = tmp_path / "out"
    result = _run(
        "inspect",
        f"--dataset=folder:{dirty}",
        # It uses the recipe of training, which refuses an unreadable file.
        f"--on_bad_image=mask:{len(odd_images.UNREADABLE_NAMES)}",
        f"--output={output}",
        "--images=8",
    )
    assert result.returncode == 1, result.stderr
    assert (
        f"{odd_images.NUM_READABLE + len(odd_images.UNREADABLE_NAMES)} examples"
        in result.stdout
    )
    assert (
        f"unreadable:       {len(odd_images.UNREADABLE_NAMES)}\n"
        in result.stdout
    )
    assert "Warning" not in result.stderr
    for name in ("contact_sheet.png", "sizes.png"):
        assert np.ptp(np.asarray(Image.open(output / name))) > 100
    with open(output / "classes.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["label", "class", "examples"], ["0", "empty", "0"]]
    with open(output / "unreadable.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {os.path.basename(row["file"]) for row in rows}
    assert names == odd_images.UNREADABLE_NAMES


def test_a_table_of_files_is_checked_as_a_folder_is(tmp_path):
    rows = ["path,label"]
    for i in range(10):
        Image.new("RGB", (9, 9), (20 * i, 0, 0)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'ab'[i % 2]}")
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    dataset = f"--dataset=csv:{tmp_path / 'mine.csv'}"
    checked = _run("validate", dataset, f"--manifest={tmp_path / 'm.jsonl'}")
    assert "8 train, 2 validation" in checked.stdout, checked.stderr
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    names = {json.loads(line).get("name") for line in lines}
    assert {f"{i}.png" for i in range(10)} <= names


def test_validate_tells_good_from_changed_and_from_unreadable(clean, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(clean, root)
    one = root / "train" / "odd" / "plain.jpg"
    shutil.copy(one, root / "validation" / "plain" / "copy.jpg")
    good = _run(
        "validate", f"--dataset=folder:{root}", f"--manifest={root}/m.jsonl"
    )
    assert good.returncode == 0, good.stderr
    assert "unreadable:       0\n" in good.stdout
    assert (
        "in both splits:   1\n"
        "  train odd/plain.jpg = validation plain/copy.jpg\n"
        "in two classes:   1\n" in good.stdout
    )
    header = json.loads((root / "m.jsonl").read_bytes().split(b"\n")[0])
    assert header["digest"] in good.stdout
    one.write_bytes(one.read_bytes()[:-2])
    os.rename(
        os.fsencode(root / "train" / "plain") + b"/" + odd_images.NOT_UTF8,
        os.fsencode(root / "train" / "plain") + b"/\xff.jpg",
    )
    bad = _run(
        "validate", f"--dataset=folder:{root}", f"--against={root}/m.jsonl"
    )
    assert bad.returncode == 1
    assert (
        "unreadable:       1\n  train odd/plain.jpg: it is trun" in bad.stdout
    )
    assert "changed:          1\n  train odd/plain.jpg\n" in bad.stdout
    assert "missing:          1\n  train plain/caf\\xe9.jpg\n" in bad.stdout
    assert "new:              1\n  train plain/\\xff.jpg\n" in bad.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["inspekt"], "Did you mean 'inspect'"),
        (["inspect", "--manifest=x"], "does not take --manifest"),
        (["inspect", "--images=0"], "--images must be a positive integer"),
        (["validate", f"--manifest={__file__}"], "exists. Compare with it"),
        (["prepare", "--source=fashion_mnits"], "Did you mean 'fashion_mnist'"),
        (["prepare", "--dataset=fashion_mnist"], "Received: no --source"),
    ],
)
def test_a_wrong_command_is_one_line(arguments, message):
    result = _run(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
