"""Names for classes: ImageNet's in the package, or a model's own."""

import pathlib

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.labels import cards

K = 1000


def one_hot(*indices):
    probabilities = np.zeros((len(indices), K), "float32")
    probabilities[range(len(indices)), indices] = 1
    return probabilities


def test_the_names_of_imagenet_are_complete():
    classes = cards.imagenet_classes()
    ids, names = zip(*classes, strict=True)
    assert len(classes) == K
    # ILSVRC 2012 orders its classes by id.
    assert list(ids) == sorted(set(ids))
    assert all(len(i) == 9 and i[0] == "n" and i[1:].isdigit() for i in ids)
    assert {n for n in names if names.count(n) > 1} == {"crane", "maillot"}


@pytest.mark.parametrize(
    "index, wordnet_id, name",
    [
        (0, "n01440764", "tench"),
        (2, "n01484850", "great_white_shark"),
        (281, "n02123045", "tabby"),
        (386, "n02504458", "African_elephant"),
        (999, "n15075141", "toilet_tissue"),
    ],
)
def test_known_classes_have_their_place(index, wordnet_id, name):
    """As keras.applications' documentation and papers quote them."""
    assert cards.imagenet_classes()[index] == (wordnet_id, name)


def test_the_file_names_source_and_licence():
    text = cards.IMAGENET.read_text(encoding="utf-8")
    assert text.isascii()
    assert "# WordNet 3.0 Copyright 2006 by Princeton University." in text
    assert "https://image-net.org" in text


def test_the_file_is_packaged():
    setup = pathlib.Path(__file__).resolve().parents[2] / "setup.py"
    if not setup.exists():
        pytest.skip("setup.py is not beside the tests")
    assert f'"{cards.IMAGENET.name}"],' in setup.read_text()


def test_the_names_are_torchvisions():
    pytest.importorskip("torch", reason="torchvision is not installed")
    try:
        meta = pytest.importorskip("torchvision.models._meta")
    except RuntimeError as error:
        pytest.skip(f"torchvision does not start: {error}")
    # torchvision's names tell two pairs apart and contain blanks.
    theirs = list(meta._IMAGENET_CATEGORIES)
    theirs[theirs.index("crane bird")] = "crane"
    theirs[theirs.index("maillot tank suit")] = "maillot"
    names = [n.replace("_", " ") for _, n in cards.imagenet_classes()]
    assert names == theirs


def test_the_ids_are_those_of_tensorflow_datasets():
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = pathlib.Path(tfds.__file__).parent / "image_classification"
    file = folder / "imagenet_resized_labels.txt"
    if not file.exists():
        pytest.skip(f"this tensorflow_datasets has no {file.name}")
    ids = [i for i, _ in cards.imagenet_classes()]
    assert ids == sorted(file.read_text().split())


def test_decoding_is_keras_applications(monkeypatch):
    from keras.src.applications import imagenet_utils

    names = {str(i): c for i, c in enumerate(cards.imagenet_classes())}
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", names)
    probabilities = np.random.default_rng(0).random((3, K), "float32")
    theirs = imagenet_utils.decode_predictions(probabilities, top=7)
    ours = keras_resnet.decode_predictions(probabilities, top=7)
    assert ours == theirs
    assert [len(row) for row in ours] == [7, 7, 7]


@pytest.mark.parametrize("convert", [np.asarray, keras.ops.convert_to_tensor])
def test_it_takes_tensors_too(convert):
    decoded = keras_resnet.decode_predictions(convert(one_hot(281, 0)), top=1)
    assert decoded == [[("n02123045", "tabby", 1)], [("n01440764", "tench", 1)]]


def test_a_models_own_names_come_with_their_index():
    probabilities = np.array([[0.1, 0.7, 0.2]])
    decoded = keras_resnet.decode_predictions(
        probabilities, class_names=("cat", "dog", "fish")
    )
    assert decoded == [[(1, "dog", 0.7), (2, "fish", 0.2), (0, "cat", 0.1)]]


@pytest.mark.parametrize(
    "shape, class_names, message",
    [
        ((2, 10), None, "(images, 1000)"),
        ((1000,), None, "(images, 1000)"),
        ((2, 1000), ["cat", "dog"], "(images, 2)"),
        ((1, 2, 3), ["a", "b", "c"], "(images, 3)"),
    ],
)
def test_other_shapes_are_refused(shape, class_names, message):
    with pytest.raises(keras_resnet.UsageError) as caught:
        keras_resnet.decode_predictions(
            np.zeros(shape), class_names=class_names
        )
    assert message in str(caught.value)
    assert f"Received: shape {shape}" in str(caught.value)


@pytest.mark.parametrize("top", [0, -1, 2.5, "5"])
def test_top_is_a_count(top):
    with pytest.raises(keras_resnet.UsageError, match="top must be"):
        keras_resnet.decode_predictions(one_hot(0), top=top)
