"""`ResNet50(...)` and its siblings build the rows that they name."""

import inspect
import re

import keras
import pytest

import keras_resnet
from keras_resnet import constructors
from keras_resnet.networks import specs

CONSTRUCTORS = sorted(
    name
    for name in dir(keras_resnet)
    if re.fullmatch(r"(Wide)?(ResNet|PlainNet|ResNeXt)\d+(V2|V15|D)?", name)
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
        *(f"ResNet{n}D" for n in (18, 34, 50, 101, 152, 200)),
        *("WideResNet50", "WideResNet101", "ResNeXt50", "ResNeXt101"),
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
        r"([A-Za-z]+)(\d+)(V\d+|D)?", name
    ).groups()
    (variant,) = built
    kind = kind.lower().replace("wide", "wide_")
    suffix = {None: "", "V2": "_v2", "V15": "_v1_5", "D": "_d"}[version]
    others = {"WideResNet50": "_2", "WideResNet101": "_2"}
    others |= {"ResNeXt50": "_32x4d", "ResNeXt101": "_32x8d"}
    assert variant == f"{kind}{depth}{others.get(name, suffix)}"
    assert constructor.__name__ == name
    layers = specs.VARIANTS[variant].depth
    assert f"{layers} weighted layers" in constructor.__doc__
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
