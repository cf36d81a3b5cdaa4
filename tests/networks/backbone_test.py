"""Networks as the backbones of detectors and segmenters."""

import keras
import numpy as np
import peers
import pytest
import small_peers
from exported_networks import randomize

import keras_resnet
from keras_resnet.networks import layers
from keras_resnet.networks import operations
from keras_resnet.networks import shortcuts
from keras_resnet.networks import specs
from keras_resnet.networks.outputs import ResNet


def body(variant="resnet18", size=64, **choices):
    filters = (16, 16, 24) if variant[-2:] == "20" else (4, 8, 8, 8)
    choices = {
        "depths": (1,) * len(filters),
        "filters": filters,
        "input_shape": (size, size, 3),
        "include_top": False,
        **choices,
    }
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(variant, **choices)
    randomize(model)
    return model


def pixels(count, size):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, size, size, 3)).astype("float32")


# The pyramid.


@pytest.mark.parametrize(
    "variant, choices, sizes",
    [
        ("resnet50_v2", {}, {"P2": 16, "P3": 8, "P4": 4, "P5": 2}),
        ("resnet20", {}, {"P0": 64, "P1": 32, "P2": 16}),
        ("resnet18", {"output_stride": 8}, {"P2": 16, "P3": 8}),
        (
            "resnet18",
            {"input_shape": (None, None, 3)},
            dict.fromkeys(["P2", "P3", "P4", "P5"]),
        ),
    ],
)
def test_a_pyramid_has_the_last_map_of_each_stride(
    variant, choices, sizes, tmp_path
):
    model = body(variant, **choices)
    twins = [model]
    if variant == "resnet20":
        model.save(tmp_path / "model.keras")
        twins += [
            type(model).from_config(model.get_config()),
            keras.models.clone_model(model),
            keras.saving.load_model(tmp_path / "model.keras"),
        ]
    for twin in twins:
        assert type(twin) is ResNet
        maps = twin.pyramid_outputs
        assert {n: m.shape[1] for n, m in maps.items()} == sizes
        unit = [u for u in twin.layers if isinstance(u, layers.ResidualUnit)]
        assert maps[list(sizes)[-1]] is unit[-1].output


def test_logits_keep_the_pyramid_and_other_models_have_none():
    model = body("resnet20", 16, include_top=True)
    found = keras_resnet.logits(model).pyramid_outputs
    assert list(found) == ["P0", "P1", "P2"]
    assert ResNet(model.inputs, model.outputs).pyramid_outputs.keys() == (
        model.pyramid_outputs.keys()
    )


# Dilation.


@pytest.mark.parametrize(
    "variant, choices, output_stride",
    [
        ("resnet50", {"depths": (1, 1, 2, 2)}, 8),
        ("resnet50_v1_5", {"depths": (1, 1, 1, 2)}, 4),
        ("resnet50_v2", {"depths": (1, 1, 1, 2)}, 16),
        ("resnet20", {"depths": (1, 2, 2), "shortcut": "C"}, 1),
        ("resnet20", {"shortcut": "exclusive_gating"}, 2),
    ],
)
def test_a_dilated_network_has_the_strided_ones_values_and_those_between(
    variant, choices, output_stride
):
    strided = body(variant, **choices)
    dense = body(variant, output_stride=output_stride, **choices)
    names = [[w.path for w in m.weights] for m in (strided, dense)]
    assert names[0] == names[1]
    dense.set_weights(strided.get_weights())
    x = pixels(1, 64)
    expected, found = np.asarray(strided(x)), np.asarray(dense(x))
    times = found.shape[1] // expected.shape[1]
    assert times > 1 and found.shape[1] == 64 // output_stride
    np.testing.assert_allclose(
        found[:, ::times, ::times], expected, atol=1e-5 * expected.std()
    )
    # The values between are not copies.
    assert found[:, 1::times, 1::times].std() > 0.1 * expected.std()
    assert np.abs(found[:, 1::times, 1::times] - expected).max() > 1e-2
    twice = keras_resnet.multiply_adds(dense)
    assert twice > keras_resnet.multiply_adds(strided)


def test_an_output_stride_of_its_own_changes_nothing():
    assert (
        body("resnet20", 16, output_stride=4, name="a").get_config()
        == body("resnet20", 16, name="a").get_config()
    )


def test_torchvision_replaces_strides_by_the_same_dilations(tmp_path):
    sizes = {"depths": (1, 1, 2, 2), "filters": (64, 8, 16, 24)}
    net = small_peers.torchvision(
        "resnet50",
        7,
        sizes,
        replace_stride_with_dilation=[False, True, True],
    )
    path = tmp_path / "net.pth"
    peers.torch_module().save(net.state_dict(), path)
    images = pixels(2, 97)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    theirs = peers.torch_logits(net, images, mean, std)

    def logits(output_stride):
        model = keras_resnet.build(
            "resnet50_v1_5",
            classes=7,
            weights=path,
            input_shape=(97, 97, 3),
            output_stride=output_stride,
            **sizes,
        )
        return np.asarray(keras_resnet.logits(model)(images))

    assert np.abs(logits(8) - theirs).max() < 1e-4 * theirs.std()
    assert np.abs(logits(32) - theirs).max() > 1e-2 * theirs.std()


@pytest.mark.parametrize("output_stride", [3, 64, 2, True, "8"])
def test_other_output_strides_are_refused(output_stride):
    message = "one of 4, 8, 16, 32. Received"
    with pytest.raises(keras_resnet.UsageError, match=message):
        body(output_stride=output_stride)


def test_what_cannot_be_dilated_is_refused(monkeypatch):
    even = specs.Block(kernels=(2, 3), widths=(1, 1), strided=0)
    with pytest.raises(keras_resnet.UsageError, match="'conv1' in 'stage4_"):
        body(block=even, output_stride=16, shortcut="none")

    def pooled(unit):
        pool = keras.layers.AveragePooling2D(
            2, unit.strides, padding="same", name="shortcut_pool"
        )
        conv = operations.conv2d(unit.channels, 1, 1, name="shortcut_conv")
        return [pool, *conv]

    monkeypatch.setitem(shortcuts.KINDS, "pooled", pooled)
    row = specs.Shortcut(change="pooled")
    body(shortcut=row)
    with pytest.raises(keras_resnet.UsageError, match="'shortcut_pool'"):
        body(shortcut=row, output_stride=16)


# Features by name.


def test_features_inside_units_are_what_its_operations_give(tmp_path):
    model = body("resnet18", include_top=True, classes=3)
    names = ["stage2_unit1/conv1", "stage2_unit1/add", "stem/relu1", "C3"]
    names += ["embedding", "stage2_unit1/shortcut_conv", "logits"]
    small = keras_resnet.features(model, names)
    small.save(tmp_path / "small.keras")
    x = pixels(1, 64)
    maps = small(x)
    assert list(maps) == names
    unit = model.get_layer("stage2_unit1")
    given = keras.Model(model.input, unit.input)(x)
    np.testing.assert_array_equal(
        maps["stage2_unit1/conv1"],
        operations.apply(unit.branch[:2], given, False),
    )
    np.testing.assert_array_equal(
        keras.ops.relu(maps["stage2_unit1/add"]), maps["C3"]
    )
    np.testing.assert_array_equal(maps["C3"], unit(given))
    stem = operations.apply(
        model.get_layer("stem").layers[:4], model.get_layer("pixels")(x), False
    )
    np.testing.assert_array_equal(maps["stem/relu1"], stem)
    np.testing.assert_array_equal(
        model.get_layer("logits")(maps["embedding"]), maps["logits"]
    )
    again = keras.saving.load_model(tmp_path / "small.keras")
    for name, found in again(x).items():
        np.testing.assert_array_equal(found, maps[name])


@pytest.mark.parametrize(
    "variant, choices, inside",
    [
        ("plainnet20", {}, {"conv1", "bn1", "relu1", "conv2", "bn2", "relu2"}),
        (
            "resnet20",
            {"shortcut": "exclusive_gating", "placement": "full_preact"},
            {
                *("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"),
                *("shortcut_zero_pad", "gate", "add"),
            },
        ),
    ],
)
def test_every_name_that_is_told_can_be_asked_for(variant, choices, inside):
    sizes = {"depths": (1, 1), "filters": (16, 24)}
    model = body(variant, size=16, **sizes, **choices)
    names = keras_resnet.feature_names(model)
    start = "stage2_unit1/"
    assert inside == {
        n.removeprefix(start) for n in names if n.startswith(start)
    }
    maps = keras_resnet.features(model, names)(pixels(1, 16))
    assert list(maps) == names
    assert maps["embedding"].shape == (1, model.output_shape[-1])


def test_an_unknown_feature_names_the_nearest():
    message = "'stage3_unit1/conv3'. Did you mean 'stage3_unit1/conv2'"
    with pytest.raises(keras_resnet.UsageError, match=message):
        keras_resnet.features(body(), ["C2", "stage3_unit1/conv3"])


# KerasHub.


@pytest.fixture(scope="module")
def encoder():
    return body(input_shape=(None, None, 3))


def retina_net(models, encoder):
    backbone = models.RetinaNetBackbone(
        encoder, 3, 5, use_p5=False, image_shape=(64, 64, 3)
    )
    model = models.RetinaNetObjectDetector(
        backbone,
        num_classes=2,
        bounding_box_format="xyxy",
        pre_logits_num_conv_layers=1,
    )
    boxes = np.array([[[4, 4, 30, 30]], [[9, 9, 50, 60]]], "float32")
    return model, {"boxes": boxes, "labels": np.array([[0], [1]])}


def deep_lab(models, encoder):
    backbone = models.DeepLabV3Backbone(
        encoder, "P5", 8, [2], low_level_feature_key="P2"
    )
    model = models.DeepLabV3ImageSegmenter(backbone, num_classes=2)
    return model, np.eye(2, dtype="float32")[np.zeros((2, 64, 64), int)]


def classifier(models, encoder):
    return models.ImageClassifier(encoder, num_classes=2), np.array([0, 1])


@pytest.mark.large
@pytest.mark.parametrize("make", [retina_net, deep_lab, classifier])
def test_keras_hub_trains_and_loads_with_it_as_a_backbone(
    make, encoder, tmp_path
):
    model, y = make(peers.keras_hub_models(), encoder)
    x = pixels(2, 64)
    before = encoder.get_weights()
    if make is deep_lab:
        model.compile(
            "sgd", keras.losses.CategoricalCrossentropy(from_logits=True)
        )
    model.jit_compile = False
    (loss,) = model.fit(x, y, batch_size=2, verbose=0).history["loss"]
    assert np.isfinite(loss)
    moved = zip(before, encoder.get_weights(), strict=True)
    assert any((old != new).any() for old, new in moved)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found = keras.tree.flatten([again(x), model(x)])
    for ours, theirs in zip(
        found[: len(found) // 2], found[len(found) // 2 :], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
