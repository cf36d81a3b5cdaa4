"""Operations, shortcuts and stems from outside the package work like ours."""

import dataclasses

import keras
import numpy as np
import own_network
import pytest
from exported_networks import answers
from exported_networks import card_of
from exported_networks import randomize

import keras_resnet
from keras_resnet import recipes
from keras_resnet.errors import UsageError
from keras_resnet.export.folding.fold import fold
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import runtime
from keras_resnet.networks import operations
from keras_resnet.networks import specs
from keras_resnet.weights import transfer

FILTERS, SIZE = (8, 16), 32


def build(classes=10, **choices):
    """A tiny ResNet-D with squeeze-and-excite."""
    keras.utils.set_random_seed(0)
    choices = {
        "stem": own_network.STEM,
        "placement": own_network.PLACEMENT,
        "shortcut": own_network.SHORTCUT,
        "input_shape": (SIZE, SIZE, 3),
        "depths": (1, 1),
        "filters": FILTERS,
        **choices,
    }
    model = keras_resnet.build("resnet50", classes=classes, **choices)
    randomize(model)
    return model


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.float32)


def test_the_stem_has_its_convolutions_in_order(model):
    convs = [
        layer
        for layer in model.get_layer("stem").layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [c.filters for c in convs] == [4, 4, 8]
    assert [c.strides[0] for c in convs] == [2, 1, 1]
    # 32 pixels, halved by the first convolution and by the pool.
    assert model.get_layer("stem").output.shape == (None, 8, 8, 8)


def test_an_operation_counts_its_own_multiply_adds(model):
    plain = build(placement=specs.PLACEMENTS["original"])
    squeezed = sum(2 * 4 * f * f for f in FILTERS)  # channels are 4 f
    difference = keras_resnet.multiply_adds(model) - (
        keras_resnet.multiply_adds(plain)
    )
    assert difference == squeezed > 0


@pytest.fixture
def named():
    """The rows, registered under names, and a variant made of them."""
    rows = {
        "own_stem": own_network.STEM,
        "own_placement": own_network.PLACEMENT,
        "own_shortcut": own_network.SHORTCUT,
        "own_network": dataclasses.replace(
            specs.VARIANTS["resnet50"],
            stem="own_stem",
            placement="own_placement",
            shortcut="own_shortcut",
            filters=FILTERS,
            depths=(1, 1),
        ),
    }
    for name, row in rows.items():
        specs.register(name, row)
    yield specs.VARIANTS["own_network"]
    for name in rows:
        for table in (*specs.TABLES.values(), specs.VARIANTS):
            table.pop(name, None)


def test_rows_have_names_once_they_are_registered(named, model, images):
    assert named.depth == 3 + 2 * 3 + 1
    by_name = keras_resnet.build(
        "own_network", classes=10, input_shape=(SIZE, SIZE, 3)
    )
    by_name.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        answers(by_name, images), answers(model, images)
    )
    assert recipes.load("digits", {"stem": "own_stem"}).stem == "own_stem"


def test_a_name_that_cannot_be_a_models_is_refused_before_anything_is_built():
    for name in ("my network", "a/b", "_a", "망", 3):
        with pytest.raises(UsageError, match="^The name of a model must be"):
            build(name=name)


def test_without_their_names_they_are_unknown():
    with pytest.raises(UsageError, match="Unknown stem 'own_stem'"):
        recipes.load("digits", {"stem": "own_stem"})


def test_the_network_is_folded_and_the_operation_stays(model, images):
    copy = fold(model)
    names = [x.name for x in copy.get_layer("stage2_unit1").layers]
    assert not [name for name in names if "bn" in name]
    assert {"se1", "shortcut_pool", "shortcut_bias"} <= set(names)
    expected = answers(model, images)
    assert expected.std() > 0.01
    assert np.abs(answers(copy, images) - expected).max() < 1e-5
    # Negative control: a weight of the operation changes the answers.
    _operation(copy).excite.bias.assign(_operation(copy).excite.bias + 1.0)
    assert np.abs(answers(copy, images) - expected).max() > 1e-4


def _operation(model):
    (found,) = [
        layer
        for layer in model.get_layer("stage2_unit1").layers
        if layer.name == "se1"
    ]
    return found


@pytest.mark.parametrize("export", [export_tflite, export_onnx])
def test_the_network_is_exported(export, model, images, tmp_path):
    suffix = {export_tflite: ".tflite", export_onnx: ".onnx"}[export]
    path = tmp_path / f"model{suffix}"
    export(model, path, card=card_of(model), precision="float32")
    actual = runtime.load_predictor(path).predict(images)
    expected = answers(model, images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_a_file_brings_it_back_also_under_other_classes(model, saved, images):
    again = keras.saving.load_model(saved, compile=False)
    np.testing.assert_array_equal(
        answers(again, images), answers(model, images)
    )
    other = build(classes=3)
    kernel = _operation(other).excite.kernel
    kernel.assign(kernel * 0)
    transfer.load_body(other, saved)
    np.testing.assert_array_equal(kernel, _operation(model).excite.kernel)


def test_a_file_with_an_operation_that_is_not_known_says_how_to_bring_it(
    saved, tmp_path, monkeypatch
):
    assert runtime.load_keras(saved).count_params() > 0
    monkeypatch.delitem(operations.OPERATIONS, "se")
    with pytest.raises(UsageError, match="operation 'se'.*--import=MODULE"):
        runtime.load_keras(saved)
    monkeypatch.undo()
    objects = keras.saving.get_custom_objects()
    monkeypatch.delitem(objects, "own>SqueezeExcite")
    one = keras.Sequential(
        [keras.Input((8, 8, 4)), own_network.SqueezeExcite()]
    )
    one.save(tmp_path / "one.keras")
    with pytest.raises(UsageError, match="class 'SqueezeExcite'.*--import="):
        runtime.load_keras(tmp_path / "one.keras")


def test_a_frozen_stage_freezes_the_operation_too():
    model = build()
    keras_resnet.freeze(model, until="stage1")
    trained = {v.path for v in model.trainable_variables}
    state = {v.path for v in model.non_trainable_variables}
    assert "stage2_unit1/se1/excite/kernel" in trained
    assert "stage1_unit1/se1/excite/kernel" in state
    assert not [path for path in trained if path.endswith("gamma")]


def test_grey_images_enter_by_the_first_of_three_convolutions():
    small = {"depths": (1,), "filters": (8,)}
    rgb = build(pixel_mean=(9.0,) * 3, pixel_std=(50.0,) * 3, **small)
    grey = build(
        input_shape=(SIZE, SIZE, 1),
        pixel_mean=(9.0,),
        pixel_std=(50.0,),
        **small,
    )
    keras_resnet.grey_from_rgb(grey, rgb)
    one = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 1))
    np.testing.assert_allclose(
        answers(grey, one),
        answers(rgb, one.repeat(3, axis=-1)),
        rtol=0,
        atol=1e-5,
    )
