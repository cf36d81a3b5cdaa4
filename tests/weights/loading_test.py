"""A file's tensors must be the model's, all of them, or nothing is loaded."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest
from small_weights import SMALL
from small_weights import assert_equal_weights
from small_weights import assert_refused
from small_weights import pixels
from small_weights import refused_model
from small_weights import rewrite
from small_weights import small_model

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs

# No other library has this network.
OWN = {"depths": (1, 1, 1), "filters": (16, 20, 24), "shortcut": "C"}


def _set(name, value):
    return lambda tensors: tensors.update({name: value})


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("bn1.weight"), "- bn1.weight is not in the"),
        (
            _set("bn9.weight", np.ones(3, "f")),
            r"\+ bn9.weight \(3,\) is not in the model",
        ),
        (
            lambda t: t.update({"bn1.gamma": t.pop("bn1.weight")}),
            r"(?s)2 differences.*- bn1.weight.*\+ bn1.gamma",
        ),
        (
            _set("conv1.weight", np.ones((64, 1, 7, 7), "f")),
            r"! conv1.weight has the shape \(7, 7, 1, 64\) where .*7, 3, 64",
        ),
        (lambda t: t["bn1.running_mean"].fill(np.nan), "that are not finite"),
        # Beyond float32.
        (_set("bn1.bias", np.full(64, 1e300)), "beta .* not finite"),
        (lambda t: t["bn1.running_var"].fill(-1), "variance holds a negative"),
        (_set("bn1.bias", np.ones(64, "int32")), "beta is of type int32"),
        (lambda t: {"x": np.ones(1, "f")}, "no known layout.*Received: x"),
    ],
)
def test_a_file_with_a_wrong_tensor_is_refused(change, message, small_file):
    rewrite(small_file, change)
    assert_refused(small_file, message)


def test_two_swapped_tensors_are_seen_in_the_logits(small_file):
    """Equal shapes pass every check but the digest's; the logits differ."""
    model = small_model()
    keras_resnet.load_weights(model, small_file)
    right = np.asarray(model(pixels(32)))
    digest = hashlib.sha256(small_file.read_bytes()).hexdigest()

    def swap(tensors):
        a, b = "layer1.0.bn1.weight", "layer1.0.bn2.weight"
        tensors[a], tensors[b] = tensors[b], tensors[a]

    rewrite(small_file, swap)
    keras_resnet.load_weights(model, small_file)
    wrong = np.asarray(model(pixels(32)))
    assert np.abs(right - wrong).max() > 1e-2 * right.std()
    assert_refused(small_file, "its sha256 is", model, sha256=digest)


# Which network.


@pytest.mark.parametrize(
    "built, layout, wanted, message",
    [
        ("resnet50_v1_5", "torchvision", "resnet50", "bottleneck_v1_5 .*conv"),
        ("resnet50_v1_5", "torchvision", "resnet50_v2", "placement original"),
        ("resnet18", "torchvision", "resnet50_v1_5", "block basic"),
        ("resnet18", "torchvision", "plainnet18", "shortcut B, not none"),
        ("resnet50_v2_timm", "timm_resnetv2", "resnet50_v2", "stem .*pool"),
    ],
)
def test_weights_of_another_network_are_refused(
    built, layout, wanted, message, tmp_path
):
    path = tmp_path / "a.safetensors"
    keras_resnet.save_weights(refused_model(built), path, layout=layout)
    assert_refused(path, message, refused_model(wanted))


@pytest.mark.parametrize(
    "saved, wanted",
    [
        ({"depths": (1, 1, 2)}, {}),
        ({}, {"depths": (1, 1, 2)}),
        ({"placement": "full_preact"}, {}),
        ({"shortcut": "A"}, {}),
        ({}, {"shortcut": "A"}),
        ({"include_top": False, "classifier_activation": "softmax"}, {}),
    ],
    ids=str,
)
def test_so_are_other_choices_in_our_own_files(saved, wanted, tmp_path):
    """The file may hold neither too little nor too much."""
    path = tmp_path / "saved.weights.h5"
    refused_model("resnet20", **{**OWN, **saved}).save_weights(path)
    model = refused_model("resnet20", **{**OWN, **wanted})
    assert_refused(path, "saved.weights.h5.*resnet20", model)


def test_the_right_variant_is_named(tmp_path, monkeypatch):
    """Tensors do not show strides; only the file's writer tells them."""
    path, names = tmp_path / "a.safetensors", ("resnet50_v1_5", "resnet50")
    for name in names:
        row = dataclasses.replace(specs.VARIANTS[name], depths=SMALL["depths"])
        monkeypatch.setitem(specs.VARIANTS, name, row)
    model, papers = map(refused_model, names)
    keras_resnet.save_weights(model, path)
    assert_refused(path, r"build\('resnet50_v1_5'\)", papers)
    with pytest.raises(UsageError, match=r"build\('resnet50_v1_5'\)"):
        keras_resnet.save_weights(papers, path)
    for saved, loaded in ((model, papers), (papers, model)):
        saved.save(tmp_path / "a.keras")
        message = rf"build\('{saved.name}'\)"
        assert_refused(tmp_path / "a.keras", message, loaded)


# Pixel constants.


@pytest.mark.parametrize(
    "mean", [(1.5, 2.25, 3.1), np.arange(32 * 32 * 3.0).reshape(32, 32, 3)]
)
def test_pixel_constants_travel_in_the_metadata(mean, tmp_path):
    """So does a mean image."""
    model = small_model(pixel_mean=mean, pixel_std=(4.0, 5.0, 6.7))
    path = tmp_path / "a.safetensors"
    keras_resnet.save_weights(model, path)
    twin = small_model(pixel_mean=np.zeros_like(mean))
    keras_resnet.load_weights(twin, path)
    assert_equal_weights(twin, model)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 2 x", "must be numbers.*1 2 x"),
        ("1 2", r"shape \(2,\)"),
        ("1 2 nan", "not finite"),
        ("1 2 0", "must be > 0"),
    ],
)
def test_pixel_constants_that_cannot_work_are_refused(
    text, message, small_file
):
    rewrite(small_file, lambda tensors: tensors, {"pixel_std": text})
    assert_refused(small_file, message)


# What can be written, and of which models.


def test_our_own_names_serve_every_network(tmp_path):
    path = tmp_path / "a.safetensors"
    model = refused_model("resnet20", **OWN)
    keras_resnet.save_weights(model, path, layout="keras_resnet")
    twin = keras_resnet.build("resnet20", **{**SMALL, **OWN})
    keras_resnet.load_weights(twin, path)
    assert_equal_weights(model, twin)
    with pytest.raises(UsageError, match="stem.*resnet20"):
        keras_resnet.save_weights(model, path)


@pytest.mark.parametrize(
    "path, layout, message",
    [
        ("a.pth", "torchvision", "must end in .safetensors"),
        ("a.safetensors", "torchvison", "mean 'torchvision'"),
        ("a.safetensors", "timm_resnetv2", "placement full_preact"),
    ],
)
def test_what_cannot_be_written_is_refused(path, layout, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        keras_resnet.save_weights(
            refused_model(), tmp_path / path, layout=layout
        )
    assert not list(tmp_path.iterdir())


def test_models_of_others_are_refused(small_file):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert_refused(small_file, "keras_resnet.build", other)
