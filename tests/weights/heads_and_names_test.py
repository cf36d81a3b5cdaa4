"""A file may differ from a model in its classifier and by a prefix."""

import re

import numpy as np
import peers
import pytest
import safetensors.numpy
from small_weights import SMALL
from small_weights import arrays
from small_weights import assert_equal_weights
from small_weights import assert_refused
from small_weights import prefixed
from small_weights import refused_model
from small_weights import rewrite
from small_weights import small_model

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs
from keras_resnet.weights import identity
from keras_resnet.weights import layouts
from keras_resnet.weights import matching
from keras_resnet.weights import readers


def test_another_number_of_classes_keeps_the_body_when_asked(
    small_file, caplog
):
    other = {**SMALL, "classes": 7}
    assert_refused(
        small_file, "(?s)fc.weight.*new_head", refused_model(classes=7)
    )
    model = keras_resnet.build("resnet50_v1_5", weights=small_file, **other)
    assert "classifier keeps its present weights" in caplog.text
    expected = arrays(refused_model())
    for path, value in arrays(model).items():
        if not path.startswith("logits"):
            np.testing.assert_array_equal(value, expected[path])
    assert model.output_shape == (None, 7)


def test_half_a_head_is_refused(small_file):
    rewrite(small_file, lambda tensors: tensors.pop("fc.bias"))
    assert_refused(small_file, "- fc.bias", new_head=True)


def test_without_the_top_the_files_classifier_is_left_out(small_file):
    body, dense = small_model(include_top=False), np.ones((3, 3), "float32")
    expected = arrays(refused_model())
    for change in (
        lambda tensors: tensors,
        lambda tensors: tensors.update({"projector.0.weight": dense}),
    ):
        rewrite(small_file, change)
        for weight in body.weights[2:]:
            weight.assign(weight + 1)
        keras_resnet.load_weights(body, small_file)
        for path, value in arrays(body).items():
            np.testing.assert_array_equal(value, expected[path])


@pytest.fixture(scope="module", name="model")
def _model():
    return refused_model()


@pytest.fixture(scope="module", name="tensors")
def _tensors(model, tmp_path_factory):
    """{name: array} of the model in torchvision's layout."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    keras_resnet.save_weights(model, path)
    return safetensors.numpy.load_file(path)


def moved(tensors, prefix, head=None):
    """The tensors under a prefix, and the classifier under another name."""
    head = f"{prefix}fc" if head is None else head
    return {
        re.sub(f"^{prefix}fc(?=[.])", head, f"{prefix}{name}"): array
        for name, array in tensors.items()
    }


def values(model, tensors, folder, prefix=None, new_head=False):
    """What the model would get from a file with these tensors."""
    path = folder / "a.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return matching.values(model, readers.read(path), new_head, prefix)


def assert_whole(found, model, without=()):
    expected = {
        path: array
        for path, array in arrays(model).items()
        if not path.startswith(("pixels/", *without))
    }
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(found[path], array, path)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "module._orig_mod.", "student/backbone.", "a.b.encoder."],
)
def test_a_prefix_is_found_and_said(prefix, model, tensors, tmp_path, caplog):
    assert_whole(values(model, tensors, tmp_path), model)
    assert "read without" not in caplog.text
    assert_whole(values(model, moved(tensors, prefix), tmp_path), model)
    assert f"names of the file were read without {prefix!r}." in caplog.text


def test_so_it_is_with_our_own_names(model, tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    keras_resnet.save_weights(model, path, layout="keras_resnet")
    prefixed(path, "network/")
    found = matching.values(model, readers.read(path), False)
    np.testing.assert_array_equal(
        found["logits/kernel"], arrays(model)["logits/kernel"]
    )
    assert "read without 'network/'" in caplog.text


def test_what_lies_beside_the_network_is_left_out_and_said(
    model, tensors, tmp_path, caplog
):
    one = np.ones(1, "float32")
    names = ("queue", "model.decoder.a", "model.decoder.b", "model.layer5.a")
    file = moved(tensors, "model.encoder_q.") | dict.fromkeys(names, one)
    assert_whole(values(model, file, tmp_path), model)
    assert (
        "read without 'model.encoder_q.'; left out beside them: "
        "model.decoder, model.layer5, queue (4 tensors)." in caplog.text
    )
    # Inside the network nothing may be left over, whatever its prefix.
    with pytest.raises(UsageError, match=r"without 'model.*\n.*\+ layer1.0.a"):
        values(model, file | {"model.encoder_q.layer1.0.a": one}, tmp_path)


def test_of_two_networks_that_fit_none_is_guessed(model, tensors, tmp_path):
    other = {name: np.asarray(array + 1) for name, array in tensors.items()}
    file = moved(tensors, "encoder_q.") | moved(other, "encoder_k.module.")
    with pytest.raises(
        UsageError,
        match="2 networks that fit, under 'encoder_k.module.', 'encoder_q.'. "
        "Say which: .*prefix='encoder_k.module.'",
    ):
        values(model, file, tmp_path)
    for prefix in ("encoder_q.", "encoder_q"):
        assert_whole(values(model, file, tmp_path, prefix), model)
    found = values(model, file, tmp_path, "encoder_k")
    assert (found["logits/bias"] == tensors["fc.bias"] + 1).all()
    for prefix in ("encoder", "", "queue"):
        with pytest.raises(UsageError, match="0 networks under the prefix"):
            values(model, file, tmp_path, prefix)
    # One of the two is another network.
    del file["encoder_k.module.layer4.0.conv3.weight"]
    assert_whole(values(model, file, tmp_path), model)
    del file["encoder_q.bn1.weight"]
    with pytest.raises(
        UsageError,
        match="none is the model's. 'encoder_k.*conv3.*; 'encoder_q.*bn1.we",
    ):
        values(model, file, tmp_path)


def test_a_network_without_a_prefix_beside_its_copy_can_be_chosen(
    model, tensors, tmp_path
):
    other = {name: np.asarray(array + 1) for name, array in tensors.items()}
    file = tensors | moved(other, "teacher.")
    with pytest.raises(UsageError, match="under '', 'teacher.'"):
        values(model, file, tmp_path)
    assert_whole(values(model, file, tmp_path, ""), model)
    found = values(model, file, tmp_path, "teacher")
    assert (found["logits/bias"] == tensors["fc.bias"] + 1).all()


def test_a_nested_dictionary_is_a_prefix(model, tensors, tmp_path, caplog):
    torch = peers.torch_module()
    state = {n: torch.from_numpy(a.copy()) for n, a in tensors.items()}
    ema = {f"module.{n}": t + 1 for n, t in state.items()}
    path = tmp_path / "last.pth"
    torch.save({"state_dict": state, "epoch": 3}, path)
    assert_whole(matching.values(model, readers.read(path), False), model)
    assert "read without 'state_dict.'" in caplog.text
    torch.save({"model": state, "model_ema": ema, "lr": 0.1}, path)
    with pytest.raises(UsageError, match="'model.', 'model_ema.module.'"):
        keras_resnet.load_weights(model, path)
    for prefix, added in (("model", 0), ("model_ema", 1)):
        found = matching.values(model, readers.read(path), False, prefix)
        assert (found["logits/bias"] == tensors["fc.bias"] + added).all()
    torch.save({"model": state | {"fc.bias": torch.nn.Tanh()}}, path)
    with pytest.raises(
        UsageError, match=r"model.fc.bias is an object of torch.nn.*Tanh"
    ):
        keras_resnet.load_weights(model, path)


# Classifiers with other names.


@pytest.mark.parametrize(
    "prefix, head",
    [
        ("", "head.fc"),
        ("", "classifier.1"),
        ("", "linear"),
        ("module.", "module.head.fc"),
        ("backbone.", "cls_head.fc"),
        ("state_dict.model.backbone.", "state_dict.model.head"),
        ("state_dict.model.backbone.", "state_dict.fc"),
    ],
)
def test_a_classifier_of_another_name_is_found(
    prefix, head, model, tensors, tmp_path, caplog
):
    file = moved(tensors, prefix, head)
    if prefix:
        file |= {"decoder.weight": np.ones((3, 5), "float32")}
    assert_whole(values(model, file, tmp_path), model)
    assert f"read from {head.removeprefix(prefix)!r}" in caplog.text.replace(
        ".'", "'"
    )
    assert not re.search("left out.*head", caplog.text)


def _two_heads(file):
    """Adds a second head whose shape is right too."""
    file |= {f"other.{n}": file[f"head.{n}"] + 1 for n in ("weight", "bias")}


def _projector(file):
    file |= {"head.2.weight": np.ones((3, 5), "float32")}


def _no_bias(file):
    del file["head.bias"]


def _other_inputs(file):
    file["head.weight"] = file["head.weight"][:, 1:].copy()


@pytest.mark.parametrize(
    "change", [_two_heads, _projector, _no_bias, _other_inputs]
)
def test_what_may_be_no_classifier_is_not_taken_for_one(
    change, model, tensors, tmp_path, caplog
):
    file = moved(tensors, "", "head")
    change(file)
    with pytest.raises(UsageError, match=r"(?s)- fc.weight.*\+ head"):
        values(model, file, tmp_path)
    found = values(model, file, tmp_path, new_head=True)
    assert_whole(found, model, without=["logits/"])
    assert "the file has none; left out: head" in caplog.text
    # A layer that is not dense may be part of the body.
    file["bn9.weight"] = np.ones(3, "float32")
    with pytest.raises(UsageError, match=r"\+ bn9.weight"):
        values(model, file, tmp_path, new_head=True)


def test_the_classifier_of_another_network_is_not_taken(
    model, tensors, tmp_path
):
    student = {k: v for k, v in tensors.items() if not k.startswith("fc.")}
    for teacher in ("teacher.", ""):
        file = moved(student, "student.") | moved(tensors, teacher)
        with pytest.raises(UsageError, match="(?s)'student.'.*- fc.weight"):
            values(model, file, tmp_path, "student")


def test_a_prefix_does_not_make_another_network_fit(small_file):
    prefixed(small_file, "backbone.")
    assert_refused(small_file, "bottleneck_v1_5", small_model("resnet18"))
    rewrite(small_file, lambda t: t.pop("backbone.bn1.weight"))
    assert_refused(small_file, "(?s)read without 'backbone.'.*- bn1.weight is")


def test_a_new_head_is_not_made_where_the_files_own_fits(small_file):
    model = keras_resnet.build("resnet50_v1_5", **SMALL)
    keras_resnet.load_weights(model, small_file, new_head=True)
    assert_equal_weights(model, refused_model())


def test_the_names_of_keras_applications_say_where_a_block_strides():
    layout = layouts.LAYOUTS["keras_applications"]
    depths = specs.VARIANTS["resnet101"].depths
    names = [
        f"conv{stage + 2}_block{unit + 1}_3_conv/kernel"
        for stage, depth in enumerate(depths)
        for unit in range(depth)
    ]
    found = identity.of_tensors(layout, dict.fromkeys(names))
    assert found == identity.of_variant("resnet101")
    assert found != identity.of_variant("resnet101_v1_5")
    model = refused_model()
    with pytest.raises(UsageError, match=r"build\('resnet101'\).*v1_5"):
        identity.require_same(model, identity.of_model(model), found, "x")


@pytest.mark.parametrize("variant", ["resnet50_v2_keras", "resnet50_v1_5"])
def test_a_dilated_network_is_the_same_network(variant):
    """This holds whichever of its strides dilation replaces."""
    sizes = {"depths": (2, 2, 2, 2), "filters": (4, 4, 4, 4)}
    strided, *dilated = (
        identity.of_model(small_model(variant, sizes, output_stride=stride))
        for stride in (None, 16, 4)
    )
    assert dilated == [strided] * 2
    assert strided.strided_unit == specs.VARIANTS[variant].strided_unit


def test_a_classifier_that_means_something_else_is_refused(tmp_path):
    """Logits of a softmax are not logits of sigmoids, whatever their shapes."""
    choices = {"depths": (1,), "filters": (16,), "input_shape": (8, 8, 3)}
    choices["classes"] = 3

    def build(activation):
        return keras_resnet.build(
            "resnet20", classifier_activation=activation, **choices
        )

    softmax, path = build("softmax"), tmp_path / "softmax.keras"
    softmax.save(path)
    kernel = softmax.get_layer("logits").kernel
    with pytest.raises(UsageError, match="ends in a softmax, .* a sigmoid"):
        keras_resnet.load_weights(build("sigmoid"), path)
    for model, options in (
        (build("softmax"), {}),
        (build("sigmoid"), {"new_head": True}),
    ):
        keras_resnet.load_weights(model, path, **options)
        np.testing.assert_array_equal(model.get_layer("logits").kernel, kernel)
