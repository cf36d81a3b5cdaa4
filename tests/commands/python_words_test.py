"""The commands as Python functions, on a model that `fit` trained."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.export import exporting
from keras_resnet.inference import opening
from keras_resnet.labels.cards import Card
from keras_resnet.labels.view import View

NAMES = ("dark", "밝은 것")


def _pictures(count, level, size=(20, 26)):
    noise = np.random.default_rng(level).integers(-40, 40, (count, *size, 3))
    return (level + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words") / "photos"
    for name, level in zip(NAMES, (60, 190), strict=True):
        (folder / name).mkdir(parents=True)
        for i, pixels in enumerate(_pictures(10, level)):
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def _network(**choices):
    keras.utils.set_random_seed(0)
    choices = {"input_shape": (16, 16, 3), **choices}
    return keras_resnet.build(
        "resnet20", classes=2, depths=(1,), filters=(16,), **choices
    )


@pytest.fixture(scope="module")
def model():
    """Tells dark from light, and has no card."""
    model = _network()
    images = np.concatenate([_pictures(64, n, (16, 16)) for n in (60, 190)])
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images, np.repeat([0, 1], 64), 16, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def run(model, photos, tmp_path_factory):
    """The folder of a run that held out half of the pictures."""
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    Card(
        class_names=NAMES,
        image_size=16,
        eval_resize=18,
        dataset=f"folder:{photos}?validation=0.5",
    ).save(folder)
    return folder


def test_a_model_that_fit_trained_becomes_files(model, tmp_path, caplog):
    artifacts = keras_resnet.export(
        model, tmp_path / "x", class_names=NAMES, formats="tflite_float32"
    )
    assert "central 16 x 16 pixels" in caplog.text
    assert artifacts[0].max_abs_diff < 1e-5
    manifest = json.loads((tmp_path / "x/manifest.json").read_text())
    assert manifest["verified_on"].startswith("32 random pictures")
    assert "Verified on 32 random pictures" in str(artifacts)
    file = tmp_path / "x" / artifacts[0].path
    light = _pictures(1, 190)[0]
    (by_file,) = keras_resnet.predict(file, light)
    (by_model,) = keras_resnet.predict(model, [light], class_names=NAMES)
    assert by_file.class_name == by_model.class_name == "밝은 것"
    assert by_file.probability == pytest.approx(by_model.probability, abs=1e-4)
    assert len(by_file.top) == 2 and "밝은 것" in repr(by_file)
    with pytest.raises(UsageError, match="There is an export already"):
        keras_resnet.export(model, tmp_path / "x", class_names=NAMES)


def test_a_loaded_model_knows_its_names_and_its_view(run, photos):
    loaded = keras_resnet.load(run)
    file = photos / NAMES[1] / "3.png"
    (named,) = keras_resnet.predict(loaded, [file])
    (pil,) = keras_resnet.predict(run / "model.keras", Image.open(file))
    assert dict(named.top) == pytest.approx(dict(pil.top))
    assert named.file == str(file)
    (other,) = keras_resnet.predict(loaded, file, view=View(resize=16, crop=16))
    assert other.probability != named.probability
    found = keras_resnet.predict(run, [photos / n for n in NAMES], top=1)
    assert [p.class_name for p in found] == [
        n for n in NAMES for _ in range(10)
    ]
    assert found[0]._repr_html_().count("<tr>") == 1


def test_the_folder_of_training_is_held_out_as_in_training(run, photos, model):
    report = keras_resnet.evaluate(run, photos)
    assert report.metrics.num_examples == 10  # half, and not a fifth
    assert report.metrics.top1_accuracy == 1
    bare = keras_resnet.evaluate(model, photos, class_names=NAMES)
    assert bare.metrics.num_examples == 4
    pictures = (_pictures(6, 190), np.ones(6, int))
    brought = keras_resnet.evaluate(run, pictures)
    assert brought.metrics.num_examples == brought.support[1] == 6
    assert "<iframe" in brought._repr_html_()


def test_an_explanation_is_a_picture(run, photos, tmp_path):
    file = photos / NAMES[1] / "0.png"
    found = keras_resnet.explain(run, file)
    assert found.class_name == NAMES[1] and found.probability > 0.5
    assert found.heat.shape == (16, 16) and "밝은 것" in repr(found)
    found.save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"
    assert found._repr_png_().startswith(b"\x89PNG")
    both = keras_resnet.explain(run, file, NAMES)
    assert [seen.class_name for seen in both.classes] == list(NAMES)
    with pytest.raises(UsageError, match="Did you mean 'dark'"):
        keras_resnet.explain(run, file, "darc")


@pytest.mark.parametrize(
    "choices, message",
    [
        ({}, "no card, so the names of its 2 classes are not known"),
        ({"class_names": ["a"]}, "has 2 classes. Received: 1 class_names"),
        ({"class_names": NAMES, "formats": ["tflit"]}, "Did you mean 'tflite'"),
        ({"class_names": NAMES, "opsett": 1}, "Did you mean 'opset'"),
        (
            {"class_names": NAMES, "formats": ["tflite_int8"]},
            "calibrated with real images: pass images=",
        ),
        (
            {"class_names": NAMES, "images": np.full((2, 9, 9, 3), 0.5)},
            r"If they are in \[0, 1\], pass 255",
        ),
        (
            {"class_names": NAMES, "images": np.full((2, 9, 9, 3), -9.0)},
            "pixels 0..255",
        ),
    ],
)
def test_an_export_that_cannot_be_is_one_line(
    model, tmp_path, choices, message
):
    with pytest.raises(UsageError, match=message):
        keras_resnet.export(model, tmp_path, **choices)
    assert not list(tmp_path.iterdir())


def test_what_is_not_known_of_a_model_is_not_guessed(run):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    bare = keras.Model(inputs, keras.layers.Dense(2, "softmax")(x))
    image = _pictures(1, 60)[0]
    with pytest.raises(UsageError, match="does not normalise its pixels"):
        keras_resnet.predict(bare, image, class_names=NAMES)
    rescaled = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), bare]
    )
    assert keras_resnet.predict(rescaled, image, class_names=NAMES)
    any_size = _network(input_shape=(None, None, 3))
    with pytest.raises(UsageError, match="pass view=keras_resnet.View"):
        keras_resnet.predict(any_size, image, class_names=NAMES)
    with pytest.raises(UsageError, match="has a card, whose class names"):
        opening.open_keras(run, class_names=NAMES[::-1])
    with pytest.raises(UsageError, match="uint8 array"):
        keras_resnet.predict(run, [image / 255])


def test_arrays_verify_and_calibrate():
    card = Card(class_names=NAMES, image_size=16, eval_resize=16)
    images = _pictures(3, 60).astype("float32") + 0.4
    source = exporting._Source(
        images, [0, 0, 0], card, data_dir=None, on_bad_image="fail"
    )
    found, labels = source.read("train", 256)
    np.testing.assert_array_equal(found, _pictures(3, 60))
    assert labels == [0, 0, 0] and "caller" in source.words()
