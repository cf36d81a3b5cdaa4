"""A manifest holds what is there and tells what changed."""

import collections
import hashlib
import os
import shutil

import numpy as np
import odd_images
import pytest
from PIL import Image

from keras_resnet.data import datasets
from keras_resnet.data.survey import duplicates
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import manifest
from keras_resnet.errors import UsageError

READABLE = odd_images.readable()
UNREADABLE = odd_images.unreadable()


def _train(root):
    return datasets.load(f"folder:{root}", "train")


SPLITS = ("train", "validation")


def _manifest(root, path):
    splits = {key: datasets.load(f"folder:{root}", key) for key in SPLITS}
    names = splits["train"].class_names
    writer = manifest.Writer(path, dataset="x", class_names=names)
    records = [r for key in SPLITS for r in manifest.records(key, splits[key])]
    for record in records:
        writer.add(record)
    writer.close()
    return records


def _compare(path, records, class_names):
    comparison = manifest.Comparison(
        path, class_names=class_names, splits=SPLITS
    )
    for record in records:
        comparison.add(record)
    return comparison


def test_a_manifest_is_what_the_files_are(clean, tmp_path):
    path = tmp_path / "m.jsonl"
    records = _manifest(clean, path)
    header, *lines = manifest.read(path)
    assert lines == records
    assert header["splits"] == {
        "train": odd_images.NUM_READABLE,
        "validation": 1,
    }
    assert header["unreadable"] == 0
    body = path.read_bytes().split(b"\n", 1)[1]
    assert hashlib.sha256(body).hexdigest() == header["digest"]
    for line in lines:
        name = os.fsencode(clean / line["split"] / line["name"])
        with open(name, "rb") as file:
            data = file.read()
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["bytes"] == len(data)
        with Image.open(name) as image:
            assert (line["width"], line["height"]) == image.size
        assert header["class_names"][line["label"]] == os.path.dirname(
            line["name"]
        )
    assert any(
        os.fsencode(n["name"]).endswith(odd_images.NOT_UTF8) for n in lines
    )
    assert path.read_bytes().isascii()


def test_unreadable_files_are_in_the_manifest_with_their_hash(dirty):
    records = _manifest(dirty, None)
    bad = {os.path.basename(r["name"]): r for r in records if "error" in r}
    assert set(bad) == odd_images.UNREADABLE_NAMES
    for name, (data, reason) in UNREADABLE.items():
        assert bad[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert reason in bad[name]["error"]
    assert "sha256" not in bad["gone.jpg"]


def test_what_a_decoder_refuses_after_a_good_header_is_found(clean, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(clean, root)
    data = bytearray(READABLE["plain.jpg"][0])
    table = data.index(b"\xff\xc4")
    data[table + 5 : table + 21] = b"\xff" * 16  # no Huffman code
    (root / "train" / "odd" / "table.jpg").write_bytes(data)
    found = inspection.survey(_train(root))
    assert not found.unreadable  # headers only
    records = _manifest(root, None)
    (bad,) = (r for r in records if "error" in r)
    assert bad["name"] == "odd/table.jpg" and bad["error"]


def test_a_flipped_byte_that_decodes_is_told_by_its_hash(clean, tmp_path):
    root, path = tmp_path / "root", tmp_path / "m.jsonl"
    shutil.copytree(clean, root)
    _manifest(root, path)
    file = root / "train" / "odd" / "plain.jpg"
    data = bytearray(file.read_bytes())
    data[-200] ^= 4
    file.write_bytes(data)
    (root / "train" / "odd" / "cmyk.jpg").unlink()
    (root / "train" / "odd" / "grey.jpg").rename(
        root / "train" / "odd" / "gray.jpg"
    )
    records = _manifest(root, None)
    assert not [r for r in records if "error" in r]
    comparison = _compare(path, records, _train(root).class_names)
    assert comparison.changed == [("train", "odd/plain.jpg")]
    assert comparison.new == [("train", "odd/gray.jpg")]
    assert sorted(comparison.missing) == [
        ("train", "odd/cmyk.jpg"),
        ("train", "odd/grey.jpg"),
    ]
    assert not comparison.relabelled


def test_the_same_data_has_no_changes_and_a_changed_class_has(clean, tmp_path):
    path = tmp_path / "m.jsonl"
    records = _manifest(clean, path)
    for names, relabelled in (
        (["empty", "odd", "plain"], 0),
        (["empty", "plain", "odd"], len(records)),
    ):
        comparison = _compare(path, records, names)
        assert not comparison.changed + comparison.new + comparison.missing
        assert len(comparison.relabelled) == relabelled


def test_an_edited_manifest_is_refused(clean, tmp_path):
    path = tmp_path / "m.jsonl"
    _manifest(clean, path)
    good = path.read_text()
    for text, message in (
        (good.replace("odd/plain.jpg", "odd/plane.jpg"), "was changed"),
        (good[: len(good) // 2], "damaged"),
        ('{"format": "other"}\n', "not a manifest"),
        ("\n", "not a manifest"),
        (good.replace('"digest"', '"digits"', 1), "damaged"),
        (good.replace('"class_names"', '"names"', 1), "damaged"),
        (good.replace('"label"', '"labels"', 1), "damaged"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            list(manifest.read(path))


def test_a_manifest_replaces_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("old")
    writer = manifest.Writer(path, dataset="x", class_names=["a"])
    writer.add({"split": "train", "name": "a/1.jpg", "label": 0})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["m.jsonl"]
    writer.close()
    assert len(path.read_text().splitlines()) == 2
    assert os.listdir(tmp_path) == ["m.jsonl"]


def test_duplicates_are_all_groups_of_equal_bytes():
    rng = np.random.default_rng(0)
    for n in (1, 2, 50):
        kinds = rng.integers(0, 20, n)
        copies = duplicates.Duplicates()
        expected = collections.defaultdict(list)
        for position, kind in enumerate(kinds):
            key = "train" if position < 30 else "validation"
            index = position if position < 30 else position - 30
            record = {"split": key, "label": position % 3}
            if kind:  # 0 could not be read
                digest = hashlib.sha256(b"%d" % kind).hexdigest()
                record["sha256"] = digest
                copy = duplicates.Copy(key, index, position % 3)
                expected[kind].append(copy)
            copies.add(record)
        groups = [group for group in expected.values() if len(group) > 1]
        assert sorted(copies.groups(), key=repr) == sorted(groups, key=repr)
