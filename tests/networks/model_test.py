"""Whole networks: published sizes, files, inputs, outputs and messages."""

import re
import shutil

import h5py
import keras
import numpy as np
import pytest
from distinct import images
from distinct import small as small_of
from small_weights import assert_equal_weights

import keras_resnet
from keras_resnet.networks import specs


def small(variant="resnet20", **kwargs):
    """A network of one narrow unit a stage, its weights all distinct."""
    filters = (16, 20, 24) if variant == "resnet20" else (4, 8, 12, 16)
    return small_of(variant, **{"filters": filters, **kwargs})


# Inputs.


@pytest.mark.parametrize("variant", ["resnet20", "resnet50_v2"])
def test_one_set_of_weights_fits_images_of_any_size(variant):
    anything = small(variant, input_shape=(None, None, 3))
    for height, width in [(33, 19), (32, 41)]:
        fixed = small(variant, input_shape=(height, width, 3))
        assert_equal_weights(anything, fixed)
        x = images(2, height, width, 3)
        np.testing.assert_allclose(anything(x), fixed(x), atol=1e-6)


@pytest.mark.parametrize(
    "channels, given, mean, std",
    [
        (1, {}, [(125.3 + 123.0 + 113.9) / 3], [(63.0 + 62.1 + 66.7) / 3]),
        (
            2,
            {"pixel_mean": (1.0, 2.0), "pixel_std": (3.0, 4.0)},
            [1, 2],
            [3, 4],
        ),
    ],
)
def test_pixels_of_any_channels_have_their_constants(
    channels, given, mean, std
):
    """Unless given, a grey channel has the means of CIFAR's constants."""
    model = keras_resnet.build(
        "resnet20",
        depths=(1,),
        filters=(16,),
        input_shape=(8, 8, channels),
        **given,
    )
    pixels = model.get_layer("pixels")
    np.testing.assert_allclose(pixels.mean, mean, 1e-6)
    np.testing.assert_allclose(pixels.std, std, 1e-6)
    assert model(images(2, 8, 8, channels)).shape == (2, 10)


# Outputs.


@pytest.mark.parametrize(
    "variant, dtype",
    [("resnet20", "mixed_bfloat16"), ("resnet50_v2", "mixed_float16")],
)
def test_mixed_precision_keeps_logits_and_probabilities_in_float32(
    variant, dtype
):
    model = small(variant, dtype=dtype, input_shape=(32, 32, 3))
    unit = model.get_layer("stage1_unit1")
    assert unit.compute_dtype == dtype.removeprefix("mixed_")
    assert {w.dtype for w in model.weights} == {"float32"}
    x = images(2, 32, 32, 3)
    for output in (model(x), keras_resnet.logits(model)(x)):
        assert keras.backend.standardize_dtype(output.dtype) == "float32"
        assert np.isfinite(np.asarray(output)).all()
    sums = np.asarray(model(x), "float64").sum(-1)
    np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_logits_are_the_network_without_softmax():
    model = small()
    bare = small(classifier_activation=None)
    assert_equal_weights(model, bare)
    x = images(2, 32, 32, 3)
    logits = keras_resnet.logits(model)
    np.testing.assert_array_equal(logits(x), bare(x))
    exponents = np.exp(np.asarray(bare(x), "float64"))
    softmax = exponents / exponents.sum(-1, keepdims=True)
    np.testing.assert_allclose(model(x), softmax, atol=1e-6)
    assert [w.path for w in logits.weights] == [w.path for w in model.weights]


@pytest.mark.parametrize("variant", ["resnet20", "resnet50_v2"])
def test_without_the_top_the_maps_are_left_and_pooling_reduces_them(variant):
    x = images(2, 64, 64, 3)
    kwargs = {"input_shape": (64, 64, 3), "include_top": False}
    maps = np.asarray(small(variant, **kwargs)(x))
    assert maps.ndim == 4
    average = small(variant, pooling="avg", **kwargs)(x)
    np.testing.assert_allclose(average, maps.mean((1, 2)), rtol=1e-4, atol=1e-5)
    largest = small(variant, pooling="max", **kwargs)(x)
    np.testing.assert_array_equal(largest, maps.max((1, 2)))


@pytest.mark.parametrize(
    "variant, include_top, strides, channels",
    [
        ("resnet18", True, (4, 8, 16, 32), (4, 8, 12, 16)),
        ("resnet50_v2", True, (4, 8, 16, 32), (16, 32, 48, 64)),
        ("resnet20", False, (1, 2, 4), (16, 20, 24)),
    ],
)
def test_features_are_the_ends_of_the_stages(
    variant, include_top, strides, channels
):
    stages = len(strides)
    model = small(
        variant,
        depths=(2,) * stages,
        input_shape=(64, 96, 3),
        include_top=include_top,
    )
    x = images(1, 64, 96, 3)
    maps = keras_resnet.features(model)(x)
    assert list(maps) == [f"C{n}" for n in range(2, 2 + stages)]
    for number, found in enumerate(maps.values(), start=1):
        stride, filters = strides[number - 1], channels[number - 1]
        assert tuple(found.shape) == (1, 64 // stride, 96 // stride, filters)
        end = model.get_layer(f"stage{number}_unit2").output
        np.testing.assert_array_equal(found, keras.Model(model.inputs, end)(x))


def test_features_refuse_other_models():
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(keras_resnet.UsageError, match="stage1_unit1.*sequent"):
        keras_resnet.features(other)


def test_multiply_adds_of_images_of_any_size():
    model = small(input_shape=(None, None, 3))
    fixed = keras_resnet.multiply_adds(small())
    assert keras_resnet.multiply_adds(model, image_size=32) == fixed
    with pytest.raises(keras_resnet.UsageError, match="pass image_size"):
        keras_resnet.multiply_adds(model)


# What one sees of a network.


def test_summary_has_one_line_for_each_unit():
    model = keras_resnet.build("resnet18", filters=(4, 4, 4, 4))
    lines = []
    model.summary(print_fn=lines.append, line_length=120)
    lines = "\n".join(lines).splitlines()
    units = [
        f"stage{stage}_unit{unit}" for stage in (1, 2, 3, 4) for unit in (1, 2)
    ]
    for unit in units:
        assert sum(f"{unit} " in line for line in lines) == 1, unit
    assert not any("conv1" in line for line in lines)
    names = [layer.name for layer in model.layers]
    assert names == [
        *("image", "pixels", "stem"),
        *units,
        *("pool", "logits", "probabilities"),
    ]


def test_an_expanded_summary_has_a_line_for_each_op_of_a_unit():
    lines = []
    model = small("resnet50_v2", input_shape=(64, 64, 3))
    model.summary(
        expand_nested=True,
        show_trainable=True,
        print_fn=lines.append,
        line_length=150,
    )
    rows = re.findall(r"(\w+) \((\w+)\)", "\n".join(lines))
    first = rows.index(("stage2_unit1", "ResidualUnit"))
    assert rows[first + 1 : first + 12] == [
        ("bn1", "BatchNormalization"),
        ("relu1", "ReLU"),
        ("conv1", "Conv2D"),
        ("bn2", "BatchNormalization"),
        ("relu2", "ReLU"),
        ("conv2", "Conv2D"),
        ("bn3", "BatchNormalization"),
        ("relu3", "ReLU"),
        ("conv3", "Conv2D"),
        ("shortcut_conv", "Conv2D"),
        ("stage3_unit1", "ResidualUnit"),
    ]


def test_what_summaries_read_does_not_rename_what_is_saved(tmp_path):
    """The names are those of files written before `layers` existed."""
    model = small(shortcut="B")
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:
        unit = file["layers/residual_unit_1"]
        assert set(unit) == {"branch", "shortcut_layers", "vars"}
        assert set(unit["shortcut_layers"]) == {
            "conv2d",
            "batch_normalization",
        }


def test_a_copy_and_a_config_give_the_same_network():
    model = small("resnet50_v2", input_shape=(64, 64, 3))
    x = images(2, 64, 64, 3)
    for twin in (
        keras.models.clone_model(model),
        type(model).from_config(model.get_config()),
    ):
        assert twin.get_config() == model.get_config()
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin(x), model(x))
        unit = twin.get_layer("stage2_unit1")
        assert unit.filters == model.get_layer("stage2_unit1").filters


def test_a_v2_network_ends_in_what_the_next_unit_would_apply_first():
    """P2 appendix; our stem activates the first unit's input, unlike timm's."""
    model = small("resnet50_v2", input_shape=(64, 64, 3))
    final = model.get_layer("final")
    assert [layer.name for layer in final.layers] == ["bn1", "relu1"]
    assert not model.get_layer("stage1_unit1").before
    assert len(model.get_layer("stage2_unit1").before) == 2
    assert "final" not in [layer.name for layer in small().layers]
    timms = small("resnet50_v2_timm", input_shape=(64, 64, 3))
    stem = [layer.name for layer in timms.get_layer("stem").layers]
    assert stem == ["conv1_pad", "conv1", "pool_pad", "pool1"]
    assert len(timms.get_layer("stage1_unit1").before) == 2


def test_plot_model_draws_the_network(tmp_path):
    pytest.importorskip("pydot", reason="plot_model needs pydot")
    if shutil.which("dot") is None:
        pytest.skip("plot_model needs Graphviz' dot")
    path = tmp_path / "network.png"
    keras.utils.plot_model(
        small(), str(path), show_shapes=True, expand_nested=True
    )
    assert path.read_bytes().startswith(b"\x89PNG")


# Messages.


@pytest.mark.parametrize(
    "variant, kwargs, message",
    [
        ("resnet5O", {}, "Unknown variant 'resnet5O'.*mean 'resnet50'"),
        (50, {}, "Unknown variant 50"),
        ("resnet20", {"shortcuts": "A"}, "'shortcuts'.*mean 'shortcut'"),
        ("resnet20", {"shortcut": "E"}, "Unknown shortcut 'E'.*Known: none, A"),
        ("resnet20", {"block": "basics"}, "mean 'basic'"),
        ("resnet20", {"depths": (1, 2)}, "depths.*filters"),
        ("resnet20", {"input_shape": (0, 32, 3)}, r"Received.*\(0, 32, 3\)"),
        ("resnet20", {"input_shape": 32}, "input_shape must be"),
        ("resnet20", {"input_shape": (32, 32, 4)}, "4 channels"),
        ("resnet20", {"classes": 0}, "classes must be.*Received: classes=0"),
        ("resnet20", {"pooling": "sum"}, "pooling must be.*'sum'"),
        ("resnet20", {"classifier_activation": "relu"}, "softmax.*'relu'"),
        ("resnet20", {"pixel_std": (1.0, 0.0, 1.0)}, "pixel_std must be > 0"),
        ("resnet20", {"pixel_mean": (1.0, 2.0)}, "pixel_mean needs one value"),
    ],
)
def test_arguments_that_cannot_work_say_so(variant, kwargs, message):
    with pytest.raises(keras_resnet.UsageError, match=message):
        keras_resnet.build(variant, **kwargs)


def test_a_row_of_ones_own_is_taken_where_a_name_is():
    """P2 Table 1 also tries b_g = -7."""
    row = specs.Shortcut(gate="exclusive", gate_bias=-7.0)
    model = keras_resnet.build(
        "resnet20", depths=(1,), filters=(16,), shortcut=row
    )
    (gate,) = model.get_layer("stage1_unit1").gate
    np.testing.assert_array_equal(gate.bias, np.full(16, -7))
