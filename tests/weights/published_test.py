"""A tag of published weights, through `build`, as a user types it."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import errors
from keras_resnet.weights import published
from keras_resnet.weights import transfer

TAG = "torchvision:IMAGENET1K_V1"


def _array(variable):
    return keras.ops.convert_to_numpy(variable)


@pytest.fixture(scope="module")
def donor():
    return keras_resnet.build(
        "resnet18", input_shape=(40, 40, 3), pixel_mean=(1, 2, 3)
    )


@pytest.fixture
def downloaded(donor, tmp_path, monkeypatch):
    """The file that a download would leave in the cache."""
    path = tmp_path / "resnet18.safetensors"
    keras_resnet.save_weights(donor, path, layout="torchvision")
    monkeypatch.setattr(published, "fetch", lambda row: path)
    return path


def test_a_tag_brings_weights_and_constants(donor, downloaded):
    model = keras_resnet.build("resnet18", weights=TAG, input_shape=(40, 40, 3))
    expected = {variable.path: _array(variable) for variable in donor.weights}
    for variable in model.weights:
        np.testing.assert_array_equal(
            _array(variable), expected[variable.path], variable.path
        )


def test_other_classes_keep_the_body_under_a_new_head(donor, downloaded):
    model = keras_resnet.ResNet18(weights=TAG, classes=7)
    assert model.output_shape == (None, 7)
    np.testing.assert_array_equal(
        _array(model.get_layer("stage4_unit2").branch[-1].beta),
        _array(donor.get_layer("stage4_unit2").branch[-1].beta),
    )
    kernels = [m.get_layer("stem").layers[1].kernel for m in (model, donor)]
    np.testing.assert_array_equal(*map(_array, kernels))


@pytest.mark.parametrize("include_top", [True, False])
def test_one_channel_gets_the_first_kernel_summed(
    donor, downloaded, include_top
):
    grey = keras_resnet.build(
        "resnet18",
        weights=TAG,
        input_shape=(40, 40, 1),
        include_top=include_top,
    )
    pixels = donor.get_layer("pixels")
    rgb = _array(donor.get_layer("stem").layers[1].kernel)
    kernel, *_ = transfer.grey_kernel(rgb, pixels.mean, pixels.std)
    np.testing.assert_array_equal(
        _array(grey.get_layer("stem").layers[1].kernel), kernel
    )
    last = donor.get_layer("stage4_unit2")
    np.testing.assert_array_equal(
        _array(grey.get_layer("stage4_unit2").branch[0].kernel),
        _array(last.branch[0].kernel),
    )


def test_an_unknown_tag_is_refused_before_anything_is_built():
    with pytest.raises(errors.UsageError, match="torchvision:IMAGENET1K_V1"):
        keras_resnet.build("resnet18", weights="torchvision:IMAGENET1K_V2")
