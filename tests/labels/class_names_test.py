"""What a class may be called, and that every reader and writer agrees."""

import dataclasses
import json
import os

import numpy as np
import pytest
from exported_networks import card_of
from exported_networks import export
from exported_networks import network
from PIL import Image

from keras_resnet.data import datasets
from keras_resnet.errors import UsageError
from keras_resnet.inference import runtime
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels import cards
from keras_resnet.labels import class_names
from keras_resnet.training import start

GOOD = (
    "cat",
    "great white shark",
    "T-shirt/top",
    "n02123045",
    "1:2",
    "caf\u00e9",
    "\u0635\u06cc\u0627\u062f\u200c\u0647\u0627",  # a joiner inside, Persian
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\uac00" * 81,
    "x" * 255,
)

# All characters at which `str.splitlines` splits, by its documentation.
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

BAD = {
    "": "is empty",
    " ": "begins or ends with a blank",
    "cat ": "begins or ends with a blank",
    "\u00a0cat": "begins or ends with a blank",
    "x" * 256: "has 256 characters",
    "a\tb": r"holds the character U\+0009",
    "a\0b": r"holds the character U\+0000",
    "a\x1b[2Jb": r"holds the character U\+001B",
    "a\x7fb": r"holds the character U\+007F",
    "\ufeffcat": r"holds the character U\+FEFF",
    "a\ud800b": r"holds the character U\+D800",
    "caf\udce9": r"called 'caf\\xe9': it is not UTF-8",
}


def _card(*names):
    return cards.Card(class_names=names, image_size=16, eval_resize=16)


def test_good_names_come_back_as_they_were(tmp_path):
    card = _card(*GOOD)
    card.save(tmp_path)
    assert cards.load_card(tmp_path) == card
    assert cards.load_card(tmp_path).class_names == GOOD


@pytest.mark.parametrize("name", BAD, ids=class_names.shown)
def test_bad_names_are_refused_by_their_escapes(name):
    with pytest.raises(UsageError, match=BAD[name]) as raised:
        _card("cats", name)
    message = str(raised.value)
    assert "Class 1 of the model cannot be called" in message
    assert message.isprintable() and message.encode()


def test_no_name_holds_the_end_of_a_line():
    """Whatever the version of Unicode says."""
    characters = map(chr, range(0x110000))
    ends = [c for c in characters if len(f"a{c}b".splitlines()) > 1]
    assert set(LINE_ENDS) <= set(ends)
    for end in ends:
        with pytest.raises(UsageError, match=f"U\\+{ord(end):04X}"):
            _card(f"a{end}b")


def test_two_classes_of_one_name_are_refused():
    with pytest.raises(UsageError, match="Class 2 .*is the name of class 0"):
        _card("cat", "dog", "cat")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfnull\r\neins\r\n",  # as Windows' editors write it
        b"null\r\neins",
        b"null\neins\n",
        b"\xef\xbb\xbfnull\neins",
    ],
)
def test_labels_are_read_whoever_wrote_them(data, tmp_path):
    _card("x", "y").save(tmp_path)
    (tmp_path / "labels.txt").write_bytes(data)
    assert cards.load_card(tmp_path).class_names == ("null", "eins")
    # Training takes the classifier of such weights.
    weights = str(tmp_path / "model.keras")
    assert start._has_head(weights, ("null", "eins"), False)
    assert not start._has_head(weights, ("null", "zwei"), False)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"null\n\xff\n", "labels.txt' must be UTF-8"),
        (b"null\n\neins\n", "Class 1 of labels.txt of .* it is empty"),
        (b"null\reins\n", r"U\+000D"),
        (b"a\xc2\x85b\n", r"U\+0085"),
        (b"a\xe2\x80\xa8b\n", r"U\+2028"),
    ],
)
def test_damaged_labels_are_refused(data, message, tmp_path):
    _card("x", "y").save(tmp_path)
    (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(UsageError, match=message):
        cards.load_card(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 0},
        {"image_size": 16.0},
        {"image_size": True},
        {"eval_resize": 15},
        {"variant": None},
        {"dataset": 3},
        {"unknown": 1},
    ],
)
def test_a_damaged_card_is_refused(change, tmp_path):
    _card("x", "y").save(tmp_path)
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match="card.json' is damaged: "):
        cards.load_card(tmp_path)


def _write_class(root, name):
    for split in (b"train", b"validation"):
        folder = os.path.join(os.fsencode(root), split, name)
        os.makedirs(folder)
        with open(os.path.join(folder, b"1.png"), "wb") as file:
            Image.new("RGB", (8, 8)).save(file, "PNG")


@pytest.mark.parametrize(
    "name, message",
    [
        (b"caf\xe9", r"caf\\xe9': it is not UTF-8"),
        ("a\u2028b".encode(), r"U\+2028"),
        (b"cat ", "begins or ends with a blank"),
    ],
)
def test_a_folder_is_refused_before_a_step(name, message, tmp_path):
    _write_class(tmp_path, b"dog")
    _write_class(tmp_path, name)
    with pytest.raises(UsageError, match=message):
        datasets.load(f"folder:{tmp_path}", "train")


def test_a_long_name_in_many_bytes_exports(tmp_path):
    """Samples are named by their classes: 81 syllables are 243 bytes."""
    model = network()
    names = ("\uac00" * 81, "\uac00" * 85, *"cdefghij")
    card = dataclasses.replace(card_of(model), class_names=names)
    formats = ["tflite_float32", "saved_model"]
    export(model, tmp_path, formats, 4, card=card, labels=[0, 1, 2, 3])
    found = sorted(os.listdir(os.fsencode(tmp_path / "samples")))
    assert [len(name) for name in found[:2]] == [253, 253]
    assert found[0].decode() == "00_label-" + "\uac00" * 80 + ".png"
    assert cards.load_card(tmp_path).class_names == names
    assert find_card(tmp_path / "model_float32.tflite").class_names == names
    loaded = runtime.load_predictor(tmp_path / "saved_model")
    answer = loaded._function(images=np.zeros((1, 16, 16, 3), np.float32))
    told = {name.decode() for name in answer["top_names"].numpy()[0]}
    assert told <= set(names)


@pytest.mark.parametrize(
    "dataset, public",
    [
        ("imagenette/160px-v2", "imagenette/160px-v2"),
        ("folder:/home/me/photographs", "folder:photographs"),
        ("folder:../me/photographs/.", "folder:photographs"),
        ("folder:gs://bucket/me/photographs", "folder:photographs"),
        ("folder:C:\\me\\photographs", "folder:photographs"),
        ("folder:/home/me/photographs?validation=0.3", "folder:photographs"),
        ("csv:me.csv?seed=1", "csv:me.csv"),
        ("folder:/", "folder"),
        ("tfrecord:/data/me/{split}-*", "tfrecord:me"),
        ("tfrecord:/data/me", "tfrecord:me"),
    ],
)
def test_a_public_card_has_the_last_part_of_a_path(dataset, public):
    card = cards.Card(
        class_names=("a",), image_size=8, eval_resize=8, dataset=dataset
    )
    assert card.public().dataset == public
