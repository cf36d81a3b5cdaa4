"""MediaPipe's image classifier, an independent reader, runs exported files."""

import dataclasses
import functools
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import phone_files
import programs
import pytest
import tflite_files
from ai_edge_litert import schema_py_generated as tflite_schema
from exported_networks import answers

from keras_resnet.export.writers import serving
from keras_resnet.export.writers.metadata_writer import add_metadata
from keras_resnet.export.writers.tflite import export_tflite

MEDIAPIPE = importlib.util.find_spec("mediapipe")
pytestmark = pytest.mark.skipif(
    MEDIAPIPE is None,
    reason="needs MediaPipe (peers extra)",
)

PRECISIONS = ("float32", "dynamic_int8", "int8")
READER = programs.SUPPORT / "mediapipe_reader.py"


@pytest.fixture(scope="module")
def card():
    return phone_files.phone().card


@pytest.fixture(scope="module")
def files(card, tmp_path_factory):
    """{precision, or "of_bytes": a .tflite file}, of a network folded once."""
    path = tmp_path_factory.mktemp("files") / "model.tflite"
    network, found = serving.Network(phone_files.phone().model, card), {}
    choices = {name: {"precision": name} for name in PRECISIONS}
    choices["int8"]["calibration"] = phone_files.phone().images
    choices["of_bytes"] = {"precision": "float32", "input_dtype": "uint8"}
    for name, chosen in choices.items():
        export_tflite(network, path, card=card, **chosen)
        found[name] = path.read_bytes()
    return found


def _plain(content):
    """A file without the metadata that we write."""
    file = tflite_files.unpacked(content)
    file.metadata = [m for m in file.metadata if m.name != b"TFLITE_METADATA"]
    return tflite_files.packed(file)


def _swapped(card):
    """A card whose first two names have changed places."""
    first, second, *rest = card.class_names
    return dataclasses.replace(card, class_names=(second, first, *rest))


@pytest.fixture(scope="module")
def by_mediapipe(card, files, tmp_path_factory):
    """{(precision, kind): rows of mediapipe_reader.py, or an error}."""
    folder, models = tmp_path_factory.mktemp("mediapipe"), {}
    np.save(folder / "images.npy", phone_files.phone().images)
    for precision in PRECISIONS:
        plain = _plain(files[precision])
        models[precision, "exported"] = files[precision]
        models[precision, "swapped"] = add_metadata(
            plain, card=_swapped(card), name="x"
        )
        models[precision, "plain"] = plain
    models["float32", "of_bytes"] = files["of_bytes"]
    paths = [folder / ("_".join(key) + ".tflite") for key in models]
    for path, content in zip(paths, models.values(), strict=True):
        path.write_bytes(content)
    result = subprocess.run(
        [sys.executable, READER, folder / "images.npy", *paths],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = map(json.loads, result.stdout.splitlines()[-len(models) :])
    return dict(zip(models, lines, strict=True))


def _names_and_scores(rows):
    """K names, and probabilities, float (B, K)."""
    rows = [sorted(row, key=lambda item: item[0]) for row in rows]
    names = [name for _, name, _ in rows[0]]
    return names, np.array([[score for *_, score in row] for row in rows])


@pytest.mark.parametrize(
    "precision, tolerance",
    [("float32", 1e-5), ("dynamic_int8", 0.02), ("int8", 0.02)],
)
def test_mediapipe_gives_our_names_and_keras_probabilities(
    card, files, by_mediapipe, precision, tolerance
):
    images = phone_files.phone().images
    names, scores = _names_and_scores(by_mediapipe[precision, "exported"])
    assert tuple(names) == card.class_names
    outputs = tflite_files.predict(files[precision], images)
    # A byte is worth 1/256.
    expected = outputs / (256 if precision == "int8" else 1)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    keras = answers(phone_files.phone().model, images)
    assert keras.std() > 0.01  # not 1 / K whatever the input
    np.testing.assert_allclose(scores, keras, rtol=0, atol=tolerance)


def test_mediapipe_feeds_pixels_as_bytes_too(card, by_mediapipe):
    """A file of --input_dtype=uint8 computes in float32 after its input."""
    names, scores = _names_and_scores(by_mediapipe["float32", "of_bytes"])
    _, expected = _names_and_scores(by_mediapipe["float32", "exported"])
    assert tuple(names) == card.class_names
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_mediapipe_sees_swapped_labels(card, by_mediapipe, precision):
    names, scores = _names_and_scores(by_mediapipe[precision, "swapped"])
    assert tuple(names) == _swapped(card).class_names
    _, whole = _names_and_scores(by_mediapipe[precision, "exported"])
    np.testing.assert_array_equal(scores, whole)


def test_mediapipe_needs_the_metadata(by_mediapipe):
    for precision in ("float32", "dynamic_int8"):
        error = by_mediapipe[precision, "plain"]
        assert "requires specifying NormalizationOptions metadata" in error
    names, _ = _names_and_scores(by_mediapipe["int8", "plain"])
    assert set(names) == {None}


@functools.cache
def _schema():
    """MediaPipe's code for metadata_schema.fbs, without importing the rest."""
    folder = pathlib.Path(MEDIAPIPE.origin).parent / "tasks/metadata"
    spec = importlib.util.spec_from_file_location(
        "metadata_schema", folder / "metadata_schema_py_generated.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _metadata(content):
    """The metadata of a .tflite file, as objects of the schema."""
    model = tflite_schema.Model.GetRootAs(content, 0)
    entries = map(model.Metadata, range(model.MetadataLength()))
    (entry,) = [m for m in entries if m.Name() == b"TFLITE_METADATA"]
    data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert data[4:8] == b"M001"
    root = _schema().ModelMetadata.GetRootAs(data, 0)
    return _schema().ModelMetadataT.InitFromObj(root)


@pytest.mark.parametrize("precision, greatest", [("float32", 1), ("int8", 255)])
def test_the_metadata_say_what_a_classifier_needs(
    card, files, precision, greatest
):
    plain, schema = _plain(files[precision]), _schema()
    model = _metadata(add_metadata(plain, card=card, name="resnet20"))
    assert (model.name, model.minParserVersion) == (b"resnet20", b"1.0.0")
    assert b"RGB pixels 0..255" in model.description
    assert [f.name for f in model.associatedFiles] == [b"card.json"]
    (subgraph,) = model.subgraphMetadata
    (images,) = subgraph.inputTensorMetadata
    (probabilities,) = subgraph.outputTensorMetadata
    assert (images.name, probabilities.name) == (b"images", b"probabilities")
    rgb = images.content.contentProperties
    assert isinstance(rgb, schema.ImagePropertiesT)
    assert rgb.colorSpace == schema.ColorSpaceType.RGB
    (unit,) = images.processUnits
    assert isinstance(unit.options, schema.NormalizationOptionsT)
    assert (unit.options.mean, unit.options.std) == ([0], [1])
    assert (images.stats.max, images.stats.min) == ([255], [0])
    stats = probabilities.stats
    assert (stats.max, stats.min) == ([greatest], [0])
    (labels,) = probabilities.associatedFiles
    kind = schema.AssociatedFileType.TENSOR_AXIS_LABELS
    assert (labels.name, labels.type) == (b"labels.txt", kind)
