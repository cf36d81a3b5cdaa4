"""Exports of independent labels: what they say, and how they are verified."""

import dataclasses
import json

import exported_networks
import numpy as np
import pytest
import squares

from keras_resnet.errors import UsageError
from keras_resnet.export import pipeline
from keras_resnet.export.formats import Options
from keras_resnet.export.verification import bounds
from keras_resnet.export.verification import isolated
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.classifier_metadata import INDEPENDENT
from keras_resnet.inference import runtime
from keras_resnet.inference.artifact import agreement
from keras_resnet.inference.artifact import read_manifest
from keras_resnet.inference.rows import Rows
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels.answers import shown_classes
from keras_resnet.labels.cards import Card

FORMATS = ("tflite_float32", "tflite_int8", "onnx", "onnx_int8")
CARD = Card(
    class_names=squares.NAMES,
    image_size=8,
    eval_resize=8,
    multi_label=True,
)


@pytest.fixture(scope="module")
def model():
    return exported_networks.network(
        classes=3,
        depths=(1,),
        filters=(16,),
        input_shape=(8, 8, 3),
        classifier_activation="sigmoid",
    )


@pytest.fixture(scope="module")
def images():
    split = squares.split("validation", 1, 48)
    return pipeline.read_images(split, 48)


@pytest.fixture(scope="module")
def exported(model, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    pixels, labels = images
    pipeline.export_all(
        model,
        folder,
        card=CARD,
        formats=FORMATS,
        images=pixels,
        labels=labels,
        options=Options(calibration=np.stack(pixels)),
        predict=isolated.predict,
    )
    return folder


def test_every_file_gives_the_sigmoids_and_agrees_by_label(
    exported, model, images
):
    expected = exported_networks.answers(model, np.stack(images[0]))
    assert not np.allclose(expected.sum(axis=1), 1, atol=0.1)
    for artifact in read_manifest(exported):
        found = runtime.load_predictor(exported / artifact.path).predict(
            np.stack(images[0])
        )
        exact = artifact.precision == "float32"
        np.testing.assert_allclose(found, expected, atol=1e-5 if exact else 0.1)
        name, fraction = agreement(artifact)
        same = (found > 0.5) == (expected > 0.5)
        assert (name, fraction) == ("label agreement", same.mean())
        assert artifact.top1_agreement is None and fraction > 0.95


def test_the_files_say_that_their_outputs_are_independent(exported):
    card = json.loads((exported / "card.json").read_text())
    manifest = json.loads((exported / "manifest.json").read_text())
    assert card["multi_label"] is manifest["card"]["multi_label"] is True
    file = exported / "model_float32.tflite"
    assert find_card(file).multi_label
    content = file.read_bytes()
    assert INDEPENDENT.encode() in content and b"sum is 1" not in content
    samples = [path.name for path in (exported / "samples").iterdir()]
    assert "00_label-no_class.png" in samples
    assert any("red_green" in name for name in samples)


@pytest.mark.parametrize(
    "expected, actual, agreement, clear",
    [
        # A yes of 1e-3 that is missed, and one that was hardly there.
        ([0.9, 0.501], [0.9, 0.499], 0.5, 1.0),
        ([0.9, 0.7], [0.9, 0.499], 0.5, 0.5),
        ([0.9, 0.6], [0.8, 0.7], 1.0, 1.0),
        ([0.9, 0.1], [0.1, 0.9], 0.0, 0.0),  # of another order
    ],
)
def test_agreement_is_of_each_label(expected, actual, agreement, clear):
    report = bounds.compare(
        np.array([expected], np.float32),
        np.array([actual], np.float32),
        bound=bounds.BOUNDS["int8"],
        labels=[[1, 1]],
        multi_label=True,
        **dict.fromkeys(("path", "signature", "runtime", "precision"), ""),
    )
    assert report.label_agreement == agreement
    assert report.clear_agreement == clear
    assert report.accuracy_loss == np.mean(np.array(expected) > 0.5) - np.mean(
        np.array(actual) > 0.5
    )
    lines = bounds.breaches(report, bounds.BOUNDS["int8"])
    assert (clear == 1.0) != any("yes or no agrees" in line for line in lines)
    assert np.isfinite(report.relative_logit_diff)


def test_a_sure_yes_may_round_to_one():
    """float32 has no digits left for 1 - p; logits do not differ by that."""
    pair = np.array([[[1 - 6e-8, 1e-6]], [[1.0, 1.0001e-6]]], np.float32)
    report = bounds.compare(
        *pair,
        bound=bounds.BOUNDS["float32"],
        multi_label=True,
        **dict.fromkeys(("path", "signature", "runtime", "precision"), ""),
    )
    assert report.relative_logit_diff < 1e-3


@pytest.mark.parametrize("several", [True, False])
def test_a_card_of_the_other_kind_is_refused(model, several):
    if several:
        softmax = exported_networks.network(
            classes=3, depths=(1,), filters=(16,), input_shape=(8, 8, 3)
        )
    given = softmax if several else model
    card = dataclasses.replace(CARD, multi_label=several)
    with pytest.raises(UsageError, match=f"says multi_label={several}"):
        serving.Network(given, card)


@pytest.mark.parametrize(
    "probabilities, top, shown",
    [
        ([0.6, 0.1, 0.9], None, [2, 0]),
        ([0.3, 0.4, 0.1], None, [1]),  # none is above 0.5: one is shown
        ([0.6, 0.1, 0.9], 1, [2]),
    ],
)
def test_predict_names_all_labels_above_a_half(probabilities, top, shown):
    found = shown_classes(np.array(probabilities), CARD, top)
    assert found.tolist() == shown


def test_a_table_has_all_labels_above_a_half():
    class Batch:
        places, problems = [0, 2], {1: "damaged"}
        names = {"path": ["a", "b", "c"]}

        def __len__(self):
            return 3

    rows = Rows(squares.NAMES, top=1, probabilities=False, multi_label=True)
    rows.add(Batch(), np.array([[0.6, 0.7, 0.1], [0.2, 0.1, 0.3]]))
    table = rows.take().to_pydict()
    assert table["labels"] == [["red", "green"], None, []]
    assert table["class_1"] == ["green", None, "blue"]
