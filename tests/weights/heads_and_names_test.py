"""What of a file may differ from a model: its classifier, a prefix."""

import numpy as np
import pytest
import safetensors.numpy
from small_weights import SMALL
from small_weights import arrays
from small_weights import assert_equal_weights
from small_weights import assert_refused
from small_weights import prefixed
from small_weights import rewrite
from small_weights import small_model

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.networks import specs
from keras_resnet.weights import identity
from keras_resnet.weights import layouts


def test_another_number_of_classes_keeps_the_body_when_asked(
    small_file, caplog
):
    other = {**SMALL, "classes": 7}
    assert_refused(
        small_file, "(?s)fc.weight.*new_head", small_model(sizes=other)
    )
    model = keras_resnet.build("resnet50_v1_5", weights=small_file, **other)
    assert "classifier keeps its present weights" in caplog.text
    expected = arrays(small_model())
    for path, value in arrays(model).items():
        if not path.startswith("logits"):
            np.testing.assert_array_equal(value, expected[path])
    assert model.output_shape == (None, 7)


def test_half_a_head_is_refused(small_file):
    rewrite(small_file, lambda tensors: tensors.pop("fc.bias"))
    assert_refused(small_file, "- fc.bias", new_head=True)


def test_without_the_top_the_files_classifier_is_left_out(small_file):
    body = small_model(include_top=False)
    for weight in body.weights[2:]:
        weight.assign(weight + 1)
    keras_resnet.load_weights(body, small_file)
    expected = arrays(small_model())
    for path, value in arrays(body).items():
        np.testing.assert_array_equal(value, expected[path])


@pytest.mark.parametrize(
    "prefix, layout",
    [
        ("module.", "torchvision"),
        ("module._orig_mod.", "torchvision"),
        ("student/backbone.", "torchvision"),
        ("network/", "keras_resnet"),
    ],
)
def test_a_prefix_of_all_names_is_taken_off(prefix, layout, tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    keras_resnet.save_weights(small_model(), path, layout=layout)
    keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert "read without" not in caplog.text
    prefixed(path, prefix)
    model = keras_resnet.build("resnet50_v1_5", weights=path, **SMALL)
    assert_equal_weights(model, small_model())
    assert f"names of the file were read without {prefix!r}" in caplog.text


def test_a_prefix_that_some_names_lack_is_refused_with_the_remedy(small_file):
    prefixed(small_file, "encoder_q.", queue=np.ones(1, "float32"))
    message = assert_refused(small_file, "begin with encoder_q., others do not")
    # The remedy, as it stands there.
    remedy = message[message.index("{k.remove") : message.rindex("}") + 1]
    names = {"state_dict": safetensors.numpy.load_file(small_file)}
    safetensors.numpy.save_file(eval(remedy, names), small_file)
    keras_resnet.load_weights(small_model(), small_file)


def test_of_two_networks_in_a_file_none_is_taken(small_file):
    twin = safetensors.numpy.load_file(small_file)
    twin = {f"encoder_k.{name}": value for name, value in twin.items()}
    prefixed(small_file, "encoder_q.", **twin)
    assert_refused(small_file, "begin with encoder_k. or encoder_q., others")


def test_a_prefix_does_not_make_another_network_fit(small_file):
    prefixed(small_file, "backbone.")
    assert_refused(small_file, "bottleneck_v1_5", small_model("resnet18"))
    rewrite(small_file, lambda t: t.pop("backbone.bn1.weight"))
    assert_refused(small_file, "(?s)read without 'backbone.'.*- bn1.weight is")


def test_a_new_head_is_not_made_where_the_files_own_fits(small_file):
    model = keras_resnet.build("resnet50_v1_5", **SMALL)
    keras_resnet.load_weights(model, small_file, new_head=True)
    assert_equal_weights(model, small_model())


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
    model = small_model()
    with pytest.raises(UsageError, match=r"build\('resnet101'\).*v1_5"):
        identity.require_same(model, identity.of_model(model), found, "x")


def test_a_classifier_that_means_something_else_is_refused(tmp_path):
    """A softmax's logits are no sigmoids', whatever their shapes."""
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
