"""Any functional model is exported exactly, or refused naming a layer."""

import keras
import numpy as np
import pytest
from exported_networks import export
from exported_networks import network
from keras import layers
from keras import ops
from made_networks import CARD
from made_networks import MADE
from made_networks import SIZE
from made_networks import Subclass
from made_networks import answers
from made_networks import backbone
from made_networks import classified
from made_networks import images
from made_networks import made

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.export.folding import proof
from keras_resnet.export.folding.copies import float32_copy
from keras_resnet.export.folding.copies import is_float32
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.export.writers.web import export_web
from keras_resnet.inference import runtime

WRITERS = {
    "saved_model": export_saved_model,
    "tflite": lambda *args, **kwargs: export_tflite(
        *args, precision="float32", **kwargs
    ),
    "onnx": export_onnx,
}


ENDS = ("fixed_batch", "named_ends")
GRAPHS = ("bottlenecks", "groups", "operators")
REWRITTEN = ("padded_pools", "read_twice", "own_mean")  # in ONNX alone
# The others are copied and written in the same way as these.
OTHERS = [n for n in MADE if n not in (*ENDS, *GRAPHS, *REWRITTEN, "attention")]
WRITTEN = [
    *((name, ("tflite", "onnx")) for name in GRAPHS),
    ("named_ends", ("saved_model",)),
    *((name, ("onnx",)) for name in REWRITTEN),
    ("attention", ("tflite",)),
    *(
        pytest.param(name, ("tflite",), marks=pytest.mark.large)
        for name in OTHERS
    ),
]


@pytest.mark.parametrize("name", OTHERS)
def test_what_would_be_written_is_the_model(name):
    model = made(name)
    expected = answers(model)
    assert expected.std() > 0.01
    copy = serving.Network(model, CARD).folded
    assert copy is not model
    np.testing.assert_allclose(answers(copy), expected, rtol=0, atol=1e-5)


def _check(expected, path):
    assert expected.std() > 0.01
    assert 1e-8 < expected.min() and expected.max() < 1 - 1e-6
    actual = runtime.load_predictor(path).predict(images())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name, formats", WRITTEN)
def test_what_is_written_is_the_model(name, formats, tmp_path):
    model = made(name)
    network = serving.Network(model, CARD)
    for format in formats:
        artifact = WRITERS[format](network, tmp_path / format, card=CARD)
        assert artifact.precision == "float32"
        assert artifact.signature["inputs"]["images"]["dtype"] == "float32"
        _check(answers(model), tmp_path / format)


@pytest.mark.parametrize("name", ENDS)
def test_an_export_of_any_ends_is_verified_and_is_the_model(name, tmp_path):
    model = made(name)
    formats = ("tflite_float32", "onnx")
    for artifact in export(model, tmp_path, formats, card=CARD):
        assert artifact.max_abs_diff <= 1e-5
        _check(answers(model), tmp_path / artifact.path)


def test_a_backbone_is_folded_too_and_the_model_is_left_as_it_was():
    model = made("bottlenecks")
    before = [weight.numpy() for weight in model.weights]
    policy = keras.config.dtype_policy().name
    copy = serving.Network(model, CARD).folded
    names = {layer.name for layer in copy._flatten_layers()}
    assert {"bias1", "bias2"} <= names
    assert not {"bn1", "bn2"} & names
    assert copy.get_layer("resnet164").get_layer("stage1_unit2").strides == 2
    assert keras.config.dtype_policy().name == policy
    for layer in model.layers:
        assert layer.output is not None  # raises if a layer is called again
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_layers_of_several_policies_are_written_in_float32():
    dtype = "mixed_bfloat16"
    body = backbone(dtype=dtype)
    x = layers.Dense(32, dtype="float32")(body.output)
    x = Subclass(8, dtype="float32")(layers.Dense(16, dtype=dtype)(x))
    x = layers.Dense(10, dtype="float32")(x)
    x = layers.Activation("softmax", dtype="float32")(x)
    model = made(lambda: keras.Model(body.input, x))
    copy = serving.Network(model, CARD).folded
    assert is_float32(copy)
    exact = float32_copy(model)
    np.testing.assert_allclose(answers(copy), answers(exact), atol=1e-5)
    np.testing.assert_allclose(answers(copy), answers(model), atol=0.1)


def test_layers_made_by_a_layer_are_float32_under_a_half_precision_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = made("subclass")
        copy = serving.Network(model, CARD).folded
    finally:
        keras.config.set_dtype_policy(before)
    assert not is_float32(model)
    assert is_float32(copy)


def test_a_fixed_batch_is_explained_whole_or_refused():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(backbone(None)(image))
    x = layers.Dense(10, name="logits")(x)
    model = keras.Model(image, layers.Softmax()(x))
    assert explain.grad_cam(model, images()).shape == (
        4,
        SIZE,
        SIZE,
    )
    with pytest.raises(UsageError, match="takes 4 images .* Received: 1"):
        explain.grad_cam(model, images()[:1])


# What is refused.


class Forgetful(layers.Layer):
    """Its config leaves out what it multiplies by."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config()


class Demanding(Forgetful):
    def __init__(self, factor, **kwargs):
        super().__init__(factor, **kwargs)


class Widening(Forgetful):
    """Its config leaves out how many weights it has."""

    def build(self, shape):
        self.bias = self.add_weight(name="bias", shape=(1,) * int(self.factor))


class Fourier(layers.Layer):
    def call(self, x):
        return ops.fft((x, 0 * x))[0]


def _ends():
    """Images, and their mean colors."""
    image = keras.Input((SIZE, SIZE, 3))
    return image, layers.GlobalAveragePooling2D()(image / 100)


def _odd(kind, *arguments):
    def make():
        image, x = _ends()
        return classified(image, kind(*arguments, name="odd")(x))

    return make


def _quantised():
    image, x = _ends()
    x = layers.Dense(10, activation="softmax", name="odd")(x)
    model = keras.Model(image, x)
    model.quantize("int8", filters="odd")
    return model


def _batch_mean():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(image)
    return classified(image, x - ops.mean(x, axis=0, keepdims=True))


REFUSED = {
    "Forgetful": (_odd(Forgetful, 3.0), "'odd' gives values"),
    "Demanding": (_odd(Demanding, 3.0), "'odd'.*get_config"),
    "Widening": (_odd(Widening, 2.0), "'odd'.*other weights"),
    "Lambda": (_odd(layers.Lambda, lambda x: 2 * x), "'odd' .*get_config"),
    "quantised": (_quantised, "'odd' is quantised"),
    "batch": (_batch_mean, "layer 'mean.*' gives values"),
    "code": (lambda: Subclass(), "functional.*Received: 'subclass"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_copied_is_refused_by_name(case, tmp_path):
    make, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        export_tflite(make(), tmp_path / "exported", card=CARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_what_a_format_has_no_form_for_is_refused_by_name(format, tmp_path):
    model = _odd(Fourier)()
    with pytest.raises(UsageError, match="no form for layer 'odd'"):
        WRITERS[format](model, tmp_path / "exported", card=CARD)
    assert not list(tmp_path.iterdir())


def test_a_page_takes_a_head_of_maps_and_no_other(tmp_path):
    with pytest.raises(UsageError, match="GlobalAveragePooling2D, Dense"):
        export_web(made("nested"), tmp_path / "web", card=CARD)
    assert not list(tmp_path.iterdir())


def test_one_wrong_weight_is_seen_and_named():
    model = network()
    copy = serving.Network(model, CARD).folded
    for part in ("stem", "stage2_unit1", "logits"):
        weight = copy.get_layer(part).weights[0]
        value = weight.numpy()
        wrong = value.copy()
        wrong[..., 0] *= 1.1
        weight.assign(wrong)
        with pytest.raises(UsageError, match=f"layer '{part}' gives values"):
            proof.check(model, copy, (SIZE, SIZE))
        weight.assign(value)


def test_wrong_weights_of_half_precision_are_seen():
    model, other = (
        network(dtype="mixed_bfloat16", seed=seed) for seed in (0, 1)
    )
    copy = float32_copy(other)
    with pytest.raises(UsageError, match="gives values that differ"):
        proof._compare(
            model,
            copy,
            proof._images((SIZE, SIZE)),
            proof.HALF_PRECISION_BOUND,
        )
