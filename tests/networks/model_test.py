"""Whole networks: published sizes, files, inputs, outputs and messages."""

import dataclasses
import inspect
import re
import shutil

import goldens
import h5py
import keras
import numpy as np
import programs
import pytest
from small_weights import assert_equal_weights

import keras_resnet
from keras_resnet import constructors
from keras_resnet.networks import specs

sizes = programs.module("reproduction.sizes")

# Rows with more units are built with two units in each stage: a longer stage
# only has more of the same. One long row is built whole.
MOST_UNITS = 16
WHOLE = "resnet110"
LONG = [
    name
    for name, row in specs.VARIANTS.items()
    if sum(row.depths) > MOST_UNITS and name != WHOLE
]


def set_distinct(model):
    """A different random tensor in each weight; its values stay moderate."""
    for seed, weight in enumerate(model.weights):
        rng = np.random.default_rng(seed)
        if weight.path.endswith("kernel"):
            fan_in = max(1, int(np.prod(weight.shape[:-1])))
            value = rng.standard_normal(weight.shape, "float32")
            value *= np.sqrt(1.5 / fan_in)
        else:
            value = rng.random(weight.shape, "float32") + 0.5
        weight.assign(value)


def images(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, "uint8")


def small(variant="resnet20", **kwargs):
    """A network of one unit a stage, its weights all distinct."""
    stages = len(specs.VARIANTS[variant].depths)
    kwargs = {"depths": (1,) * stages, **kwargs}
    model = keras_resnet.build(variant, **kwargs)
    set_distinct(model)
    return model


# Every row. Building takes seconds, so one test asks all of a network.


@pytest.mark.parametrize("name", sorted({*specs.VARIANTS} - {*LONG}))
def test_sizes_are_the_golden_ones(name):
    model = keras_resnet.build(name)
    assert model.name == name
    assert_golden(name, sizes.count(model), model.layers)


@pytest.mark.parametrize("name", LONG)
def test_sizes_of_a_long_row_are_the_golden_ones(name):
    model, depths = sizes.build_short(name), specs.VARIANTS[name].depths
    size = sizes.of_short(model, depths)
    assert_golden(name, size, sizes.layers_of_short(model, depths))


def assert_golden(name, size, layers):
    """All that the papers and their authors' code say of a row.

    Args:
        name: of the row.
        size: `Size` of its network.
        layers: of the network, in order.
    """
    golden = goldens.GOLDENS[name]
    assert size.parameters == golden.trainable_parameters, golden.source
    assert size.multiply_adds == golden.multiply_adds
    flat = [leaf for layer in layers for leaf in layer._flatten_layers()]
    assert_depth_is_weighted_layers(flat, specs.VARIANTS[name].depth)
    assert_bias_and_batch_norm_are_the_authors(flat)


def assert_depth_is_weighted_layers(flat, depth):
    """P1 counts convolutions and the classifier, projections excluded."""
    names = [leaf.name for leaf in flat]
    counted = [n for n in names if re.fullmatch(r"conv\d+|logits", n)]
    assert len(counted) == depth


def assert_bias_and_batch_norm_are_the_authors(flat):
    for leaf in flat:
        if isinstance(leaf, keras.layers.Conv2D):
            assert (leaf.bias is not None) == (leaf.name == "gate")
        elif isinstance(leaf, keras.layers.BatchNormalization):
            assert (leaf.momentum, leaf.epsilon) == (0.9, 1e-5)


@pytest.mark.parametrize("name", specs.VARIANTS)
def test_a_file_brings_every_weight_back(name, tmp_path):
    """Of few units and few filters: others are more of the same."""
    row = specs.VARIANTS[name]
    stem = specs.STEMS[row.stem]
    stem = dataclasses.replace(
        stem, convolutions=[(f // 4, *rest) for f, *rest in stem.convolutions]
    )
    model = keras_resnet.build(
        name,
        depths=(2,) * len(row.depths),
        filters=tuple(count // 4 for count in row.filters),
        stem=stem,
        input_shape=(32, 32, 3),
    )
    assert_comes_back(model, tmp_path)


def assert_comes_back(model, tmp_path):
    set_distinct(model)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal_weights(model, twin)
    assert twin.to_json() == model.to_json()
    x = images(2, *model.input_shape[1:])
    y = np.asarray(keras_resnet.logits(model)(x))
    assert np.isfinite(y).all() and y.std() > 0
    np.testing.assert_array_equal(keras_resnet.logits(twin)(x), y)


@pytest.mark.large
@pytest.mark.parametrize("name", specs.VARIANTS)
def test_every_row_as_a_whole(name, tmp_path):
    model = keras_resnet.build(name)
    assert_golden(name, sizes.count(model), model.layers)
    assert_comes_back(model, tmp_path)


# Files.


def test_swapped_weights_do_not_pass_for_equal():
    """The negative control of `assert_equal_weights`."""
    model, twin = small(), small()
    assert_equal_weights(model, twin)
    _, bn, *_ = twin.get_layer("stage1_unit1").branch
    bn.set_weights([bn.beta, bn.gamma, *bn.get_weights()[2:]])
    with pytest.raises(AssertionError, match="stage1_unit1/bn1/gamma"):
        assert_equal_weights(model, twin)


# Inputs.


@pytest.mark.parametrize("variant", ["resnet20", "resnet50_v2"])
def test_one_set_of_weights_fits_images_of_any_size(variant):
    anything = small(variant, input_shape=(None, None, 3))
    for height, width in [(33, 33), (47, 39), (32, 61)]:
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
    """Grey images have the means of CIFAR's channels, where none is given."""
    model = keras_resnet.build(
        "resnet20", depths=(1, 1, 1), input_shape=(32, 32, channels), **given
    )
    pixels = model.get_layer("pixels")
    np.testing.assert_allclose(pixels.mean, mean, 1e-6)
    np.testing.assert_allclose(pixels.std, std, 1e-6)
    assert model(images(2, 32, 32, channels)).shape == (2, 10)


# Outputs.


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("variant", ["resnet20", "resnet50_v2"])
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
    "variant, strides, channels",
    [
        ("resnet18", (4, 8, 16, 32), (64, 128, 256, 512)),
        ("resnet50_v2", (4, 8, 16, 32), (256, 512, 1024, 2048)),
        ("resnet20", (1, 2, 4), (16, 32, 64)),
    ],
)
@pytest.mark.parametrize("include_top", [True, False])
def test_features_are_the_ends_of_the_stages(
    variant, strides, channels, include_top
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
    model = keras_resnet.build("resnet50", input_shape=(64, 64, 3))
    assert len(model.layers) <= 22
    lines = []
    model.summary(print_fn=lines.append, line_length=120)
    lines = "\n".join(lines).splitlines()
    units = [
        f"stage{stage}_unit{unit}"
        for stage, depth in enumerate((3, 4, 6, 3), start=1)
        for unit in range(1, depth + 1)
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
    """The names of files that were written before there was `layers`."""
    model = small("resnet20", shortcut="B")
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
    """P2 appendix; the stem activates the first unit's input, timm's not."""
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


# Constructors.

CONSTRUCTORS = sorted(
    name
    for name in dir(keras_resnet)
    if re.fullmatch(r"(ResNet|PlainNet)\d+(V2|V15)?", name)
)


def test_the_promised_constructors_exist():
    promised = {
        *(f"PlainNet{n}" for n in (18, 34, 20, 32, 44, 56, 110)),
        *(f"ResNet{n}" for n in (18, 34, 50, 101, 152)),
        *(f"ResNet{n}V2" for n in (18, 34, 50, 101, 152, 200)),
        *(f"ResNet{n}V15" for n in (50, 101, 152)),
        "ResNet200",
        *(f"ResNet{n}" for n in (20, 32, 44, 56, 110, 1202, 164, 1001)),
        *(f"ResNet{n}V2" for n in (110, 164, 1001)),
    }
    assert set(CONSTRUCTORS) == promised


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_a_constructor_builds_the_row_it_names(name, monkeypatch):
    built = []
    monkeypatch.setattr(
        constructors, "build", lambda *args, **kwargs: built.append(args[0])
    )
    constructor = getattr(keras_resnet, name)
    constructor()
    kind, depth, version = re.fullmatch(
        r"([A-Za-z]+)(\d+)(V\d+)?", name
    ).groups()
    (variant,) = built
    suffix = {None: "", "V2": "_v2", "V15": "_v1_5"}[version]
    assert variant == f"{kind.lower()}{depth}{suffix}"
    assert specs.VARIANTS[variant].depth == int(depth)
    assert constructor.__name__ == name
    assert f"{depth} weighted layers" in constructor.__doc__
    assert specs.VARIANTS[variant].reference in constructor.__doc__
    assert repr(variant) in constructor.__doc__


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors_take_what_keras_applications_take(name):
    theirs = inspect.signature(keras.applications.ResNet50).parameters
    ours = inspect.signature(getattr(keras_resnet, name)).parameters
    assert set(theirs) - {"input_tensor"} <= set(ours)
    assert set(ours) == set(
        inspect.signature(keras_resnet.build).parameters
    ) - {"variant"}
    for argument in ("include_top", "pooling", "classifier_activation"):
        assert ours[argument].default == theirs[argument].default
    assert ours["weights"].default is None


def test_constructor_arguments_arrive():
    model = keras_resnet.ResNet20(
        include_top=False, input_shape=(16, 16, 1), pooling="max", name="mine"
    )
    assert model.name == "mine"
    assert model.input_shape == (None, 16, 16, 1)
    assert model.output_shape == (None, 64)
    model = keras_resnet.ResNet20(
        classes=3, classifier_activation=None, dtype="float64", shortcut="B"
    )
    assert model.output_shape == (None, 3)
    assert model.get_layer("stem").dtype_policy.name == "float64"
    assert model.get_layer("stage2_unit1").shortcut_layers
    assert model.layers[-1].name == "logits"


# Messages.


@pytest.mark.parametrize(
    "variant, kwargs, message",
    [
        ("resnet5O", {}, "Unknown variant 'resnet5O'.*mean 'resnet50'"),
        (50, {}, "Unknown variant 50"),
        ("resnet20", {"shortcuts": "A"}, "'shortcuts'.*mean 'shortcut'"),
        ("resnet20", {"shortcut": "D"}, "Unknown shortcut 'D'.*Known: none, A"),
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
    model = keras_resnet.build("resnet20", depths=(1, 1, 1), shortcut=row)
    (gate,) = model.get_layer("stage1_unit1").gate
    np.testing.assert_array_equal(gate.bias, np.full(16, -7))
