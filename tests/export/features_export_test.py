"""Networks that give features: what their files hold and what refuses them."""

import dataclasses
import importlib.util
import json

import exported_networks
import keras
import numpy as np
import programs
import pytest
import tensorflow as tf
from exported_networks import card_of
from exported_networks import digits
from exported_networks import network

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.export import exporting
from keras_resnet.export import formats
from keras_resnet.export import pipeline
from keras_resnet.export.verification import feature_bounds
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification import verify
from keras_resnet.inference import artifact
from keras_resnet.inference import opening
from keras_resnet.labels.cards import load_card

EXAMPLE = programs.ROOT / "docs/examples/image_search.py"
NAMES = ("C2", "stage2_unit1/conv1", "embedding")
FLOATS = {
    "saved_model": "saved_model",
    "tflite_float32": "model_float32.tflite",
    "onnx": "model.onnx",
}
EIGHT_BITS = {
    "saved_model_bfloat16": "saved_model_bfloat16",
    "tflite": "model.tflite",
    "tflite_float16": "model_float16.tflite",
    "tflite_int8": "model_int8.tflite",
    "onnx_int8": "model_int8.onnx",
}


@pytest.fixture(scope="module")
def classifier():
    model = network()
    model.card = card_of(model)
    return model


def export(model, directory, names, formats, **options):
    """`pipeline.export_all` of features, verified in this process."""
    model, card = opening.open_features(model, names)
    exported_networks.export(model, directory, formats, card=card, **options)
    return model, card


@pytest.fixture(scope="module")
def predict():
    """`isolated.predict`, cached for the same images: each file runs once."""
    found = {}

    def predict(path, inputs, **options):
        if path.name not in found:
            found[path.name] = isolated.predict(path, inputs, **options)
        return found[path.name]

    return predict


@pytest.fixture(scope="module")
def folder(classifier, predict, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    export(classifier, folder, NAMES, FLOATS, predict=predict)
    return folder


@pytest.fixture(scope="module")
def views(classifier):
    return exported_networks.views(classifier.card)


@pytest.mark.parametrize("name", FLOATS)
def test_a_file_gives_its_outputs_by_name(name, folder, classifier, views):
    predictor = keras_resnet.load_predictor(folder / FLOATS[name])
    assert set(predictor.features) == set(NAMES)
    assert predictor.num_classes is None
    expected = keras_resnet.features(classifier, NAMES)(views)
    found = predictor(views)
    assert set(found) == set(NAMES)
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, rtol=0, atol=2e-5)
    with pytest.raises(UsageError, match="no classifier: it gives .*C2"):
        predictor.predict(views)


def test_the_folder_says_what_it_holds(folder):
    card = load_card(folder)
    assert (card.outputs, card.class_names) == (NAMES, ())
    assert not (folder / "labels.txt").read_bytes()
    fields = json.loads((folder / "manifest.json").read_text())
    assert fields["card"]["outputs"] == list(NAMES)
    for row in artifact.read_manifest(folder):
        assert set(row.features) == set(NAMES) == set(row.signature["outputs"])
        assert all(f["cosine"] > 1 - 1e-6 for f in row.features.values())
        assert row.max_abs_diff == max(
            f["max_abs_diff"] for f in row.features.values()
        )
        assert row.top1_agreement is None
        shape = row.signature["outputs"]["stage2_unit1/conv1"]["shape"]
        assert shape[1:] == [8, 8, 32]


def test_they_are_verified_output_by_output(folder, classifier, predict):
    images, _ = digits(8)
    reports = verify.verify(folder, classifier, images, predict=predict)
    # A SavedModel has two signatures, one of them for image files.
    assert len(reports) == 4 * len(NAMES)
    with pytest.raises(verify.VerificationError) as error:
        verify.verify(folder, network(seed=1), images, predict=predict)
    for name in NAMES:
        assert f"(serve_bytes, {name}): a value differs by" in str(error.value)


def test_a_bound_is_of_one_output_s_own_values():
    expected = np.ones((2, 3), "float32")
    names = dict.fromkeys(("path", "signature", "runtime", "output"), "x")
    for change, lines in ((1e-8, 0), (1e-2, 1)):
        expected[:, 0] = 5
        actual = expected * np.float32(1 + change)
        report = feature_bounds.compare(
            expected, actual, precision="float32", **names
        )
        assert report.cosine == pytest.approx(1)
        assert len(feature_bounds.breaches(report)) == lines
    turned = feature_bounds.compare(
        expected, expected[:, ::-1], precision="int8", **names
    )
    assert "the cosine with" in feature_bounds.breaches(turned)[0]


@pytest.mark.large
@pytest.mark.parametrize("name", EIGHT_BITS)
def test_the_other_formats_hold_features_too(name, classifier, tmp_path):
    calibration = exported_networks.views(classifier.card, 64, "train")
    options = formats.Options(calibration=calibration)
    model, card = export(classifier, tmp_path, NAMES, [name], options=options)
    (row,) = artifact.read_manifest(tmp_path)
    assert set(row.features) == set(NAMES)
    assert (tmp_path / EIGHT_BITS[name]).is_file()


@pytest.mark.large
@pytest.mark.parametrize("variant", ["resnet20", "resnet50_v2"])
def test_a_dilated_network_exports_to_every_format(variant, tmp_path):
    stride = {"resnet20": 2, "resnet50_v2": 8}[variant]
    model = network(variant, output_stride=stride)
    card = card_of(model)
    calibration = exported_networks.views(card, 64, "train")
    directory = tmp_path / "exported"
    exported_networks.export(
        model,
        directory,
        (*FLOATS, *EIGHT_BITS),
        16,
        options=formats.Options(calibration=calibration),
    )
    assert len(artifact.read_manifest(directory)) == 8


# What refuses features.


@pytest.mark.parametrize(
    "ask",
    [
        lambda path, model: keras_resnet.predict(path, digits(1)[0]),
        lambda path, model: keras_resnet.explain(model, digits(1)[0]),
        lambda path, model: keras_resnet.evaluate(model, "digits"),
    ],
)
def test_what_needs_classes_says_that_it_has_none(ask, folder, classifier):
    model = keras_resnet.features(classifier, NAMES)
    with pytest.raises(UsageError, match="is no classifier: it gives .*C2"):
        ask(folder / "model.onnx", model)


def test_formats_that_show_classes_are_refused(classifier, tmp_path):
    model, card = opening.open_features(classifier, "pyramid")
    assert card.outputs == ("C2", "C3", "C4")
    with pytest.raises(UsageError, match="'web' shows classes.*C2, C3, C4"):
        pipeline.check(model, tmp_path / "out", card=card, formats=["web"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"outputs": ["C9"]}, "Unknown feature 'C9'"),
        ({"outputs": "embedding", "class_names": ["a"]}, "have no classes"),
        ({"outputs": []}, "names is empty"),
    ],
)
def test_other_outputs_are_refused(choices, message, classifier, tmp_path):
    with pytest.raises(UsageError, match=message):
        exporting.export(classifier, tmp_path / "out", **choices)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    "choices, outputs",
    [
        ({"include_top": False, "pooling": "avg"}, ("embedding",)),
        ({"include_top": False}, ("features",)),
    ],
)
def test_a_body_alone_is_known_by_its_output(choices, outputs):
    model = network(**choices)
    view = keras_resnet.View(resize=18, crop=16)
    _, card = opening.open_features(model, view=view)
    assert card.outputs == outputs
    assert dataclasses.replace(card, outputs=("a",)) != card
    network_of_one = keras.Model(model.input, {"a": model.output})
    assert not isinstance(network_of_one.output, list)


# The example.


@pytest.fixture(scope="module")
def example():
    if not EXAMPLE.is_file():
        pytest.skip("docs/ is not beside the tests")
    spec = importlib.util.spec_from_file_location("image_search", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_search_finds_pictures_of_the_same_class(
    example, folder, tmp_path, capsys
):
    """Features of random filters are enough: chance finds one in ten."""
    images, labels = digits(150)
    for number, image in enumerate(images):
        path = tmp_path / f"{number:03d}.png"
        path.write_bytes(tf.io.encode_png(image).numpy())
    embedder = example.open_embedder(folder / "model_float32.tflite")
    files = sorted(tmp_path.iterdir())
    found = example.embed(files, *embedder)
    second = [example.nearest(one, found, 2)[1][0] for one in found]
    labels = np.asarray(labels)
    assert (labels[second] == labels).mean() > 0.5
    assert (
        np.random.default_rng(0).permutation(labels)[second] == labels
    ).mean() < 0.25
    example.main(
        [
            f"--model={folder / 'model_float32.tflite'}",
            f"--folder={tmp_path}",
            "--count=2",
            str(files[7]),
        ]
    )
    first, _ = capsys.readouterr().out.splitlines()
    assert first == f"1.0000  {files[7]}"
