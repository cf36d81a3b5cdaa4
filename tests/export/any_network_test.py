"""Any functional model is exported exactly, or refused by a layer's name.

The networks are what users make around ours: heads, backbones in models,
layers of their own. All weights are random, so that each one matters.
"""

import keras
import numpy as np
import pytest
from backends import run_on
from exported_networks import NAMES
from exported_networks import digits
from exported_networks import network
from exported_networks import randomize
from keras import layers
from keras import ops

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.export import pipeline
from keras_resnet.export.folding import graph
from keras_resnet.export.folding import proof
from keras_resnet.export.folding.float32 import float32_copy
from keras_resnet.export.folding.float32 import is_float32
from keras_resnet.export.verification import isolated
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.export.writers.web import export_web
from keras_resnet.inference import runtime
from keras_resnet.inference.predictors import KerasPredictor
from keras_resnet.labels.cards import Card

SIZE = 16
CARD = Card(
    class_names=NAMES,
    variant="made",
    dataset="digits",
    image_size=SIZE,
    eval_resize=18,
)

WRITERS = {
    "saved_model": export_saved_model,
    "tflite": lambda *args, **kwargs: export_tflite(
        *args, precision="float32", **kwargs
    ),
    "onnx": export_onnx,
}


def _backbone(pooling="avg", **choices):
    return network(include_top=False, pooling=pooling, **choices)


def _image(**choices):
    return keras.Input((SIZE, SIZE, 3), **choices)


def _classified(image, x):
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def _nested_head():
    body = _backbone()
    head = keras.Sequential([layers.Dense(64), layers.Dense(64)])
    return _classified(body.input, head(body.output))


def _sequential():
    return keras.Sequential(
        [_backbone(), layers.Dense(10), layers.Activation("softmax")]
    )


def _backbone_as_layer():
    image = _image()
    x = _backbone(pooling=None)(image, training=False)
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return _classified(image, x)


def _bottlenecks_as_layer():
    image = _image()
    body = network(
        "resnet164",
        include_top=False,
        depths=(2, 2, 1),
        filters=(4, 8, 8),
        input_shape=(SIZE, SIZE, 3),
    )
    x = layers.GlobalMaxPooling2D()(body(image))
    return _classified(image, layers.LayerNormalization()(x))


def _classifier_twice():
    image, body = _image(), network()
    x = layers.Concatenate()([body(image), body(255 - image)])
    return _classified(image, x)


def _attention():
    body = _backbone(pooling=None)
    x = layers.Reshape((-1, 64))(body.output)
    x = x + layers.MultiHeadAttention(2, 8)(x, x)
    x = layers.LayerNormalization()(x)
    return _classified(body.input, layers.GlobalAveragePooling1D()(x))


def _layer_twice():
    body, dense = _backbone(), layers.Dense(64, activation="relu")
    x = dense(dense(body.output))
    return keras.Model(body.input, layers.Softmax()(layers.Dense(10)(x)))


class Subclass(keras.Model):
    """Layers in a list, and a network of ours."""

    def __init__(self, units=16, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.denses = [layers.Dense(units), layers.Dense(units)]
        self.norm = layers.BatchNormalization()

    def call(self, x, training=None):
        return self.denses[1](self.norm(self.denses[0](x), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def _subclass():
    body = _backbone()
    return _classified(body.input, Subclass(24)(body.output))


class Weighted(layers.Layer):
    """Two weights of one name and one shape, and one of another name."""

    def build(self, shape):
        self.kernels = [
            self.add_weight(name="kernel", shape=shape[-1:]) for _ in range(2)
        ]

    def call(self, x):
        return x * self.kernels[0] - ops.tanh(self.kernels[1])


def _equal_names():
    body = _backbone()
    return _classified(body.input, Weighted()(body.output))


def _operators():
    image = _image()
    x = layers.Rescaling(0.5, offset=10)(image)
    x = _backbone(pooling=None)(x)
    x = ops.mean(x, axis=(1, 2)) + 0.5 * ops.max(x, axis=(1, 2))
    x = layers.Concatenate()([layers.Add()([x, ops.sin(x)]), x[:, :5]])
    return keras.Model(image, ops.softmax(layers.Dense(10)(x)))


def _low_rank():
    body, dense = _backbone(), layers.Dense(64)
    model = _classified(body.input, dense(body.output))
    dense.enable_lora(4)
    return model


def _adapted():
    """A layer whose state is more than its weights."""
    image, norm = _image(), layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(100, 30, (8, SIZE, SIZE, 3)))
    x = layers.Conv2D(8, 3, activation="relu")(norm(image))
    return _classified(image, layers.GlobalAveragePooling2D()(x))


def _fixed_batch():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    return _classified(image, _backbone()(image))


def _named_ends():
    body = _backbone()
    x = layers.Dense(10, activation="softmax")(body.output)
    return keras.Model({"image": body.input}, {"classes": x})


def _padded_pools():
    """Pads that a pool in ONNX must not take for its own."""
    image = _image()
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    sevens = ops.pad(
        layers.ReLU()(x), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=7.0
    )
    zeros = layers.ZeroPadding2D(1)(layers.ReLU()(x))
    maps = [
        layers.MaxPooling2D(3, 2)(sevens),
        layers.MaxPooling2D(3, 2, padding="same")(zeros),
        layers.MaxPooling2D(2)(layers.ZeroPadding2D(2)(x)),
    ]
    x = layers.Concatenate()([layers.Flatten()(x / 100) for x in maps])
    return _classified(image, x)


def _differences_read_twice():
    """A subtraction that others read too, before it is transposed."""
    image = _image()
    x = image - np.float32([100, 120, 90])
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x) / 100)
    x = layers.Flatten()(x / 100)
    return _classified(image, layers.Concatenate()([x, y]))


def _own_mean():
    """A subtraction of what is no constant."""
    image = _image()
    x = image - ops.mean(image, axis=(1, 2), keepdims=True)
    x = layers.Conv2D(8, 3, activation="relu")(x / 100)
    return _classified(image, layers.GlobalAveragePooling2D()(x))


EXACT = [
    _nested_head,
    _sequential,
    _backbone_as_layer,
    _bottlenecks_as_layer,
    _classifier_twice,
    _attention,
    _layer_twice,
    _subclass,
    _equal_names,
    _operators,
    _low_rank,
    _adapted,
    _fixed_batch,
    _named_ends,
    _padded_pools,
    _differences_read_twice,
    _own_mean,
]


def _made(make):
    """A network of small random weights, so that no probability is 0 or 1."""
    keras.utils.set_random_seed(0)
    model = make()
    randomize(model)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("kernel", "lora_kernel_b"):
            noise = rng.normal(0, 0.05, weight.shape)
            weight.assign(ops.convert_to_numpy(weight) + noise)
    return model


def _images():
    shape = (4, SIZE, SIZE, 3)
    return np.random.default_rng(2).integers(0, 256, shape).astype("float32")


def _answers(model):
    images = ops.convert_to_tensor(_images())
    form = graph.network(model).input
    named = keras.tree.map_structure(lambda _: images, form)
    (answers,) = keras.tree.flatten(model(named, training=False))
    return ops.convert_to_numpy(answers)


@pytest.mark.parametrize("make", EXACT)
def test_the_network_of_every_format_is_the_model(make):
    model = _made(make)
    expected = _answers(model)
    assert expected.std() > 0.01
    assert 1e-8 < expected.min() and expected.max() < 1 - 1e-6
    copy = serving.Network(model, CARD).folded
    np.testing.assert_allclose(_answers(copy), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize(
    "make",
    [
        _nested_head,
        _bottlenecks_as_layer,
        _attention,
        _operators,
        _adapted,
        _fixed_batch,
        _named_ends,
        _padded_pools,
        _differences_read_twice,
        _own_mean,
    ],
)
def test_every_writer_writes_it_exactly(make, format, tmp_path):
    model = _made(make)
    path = tmp_path / "exported"
    WRITERS[format](model, path, card=CARD)
    actual = runtime.load_predictor(path).predict(_images())
    np.testing.assert_allclose(actual, _answers(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [_nested_head, _fixed_batch, _named_ends])
def test_an_export_of_all_is_verified(make, tmp_path):
    model = _made(make)
    images, labels = digits()
    artifacts = pipeline.export_all(
        model,
        tmp_path,
        card=CARD,
        formats=("tflite_float32",),
        images=images,
        labels=labels,
        predict=isolated.predict,
    )
    assert artifacts[0].max_abs_diff <= 1e-5


def test_a_backbone_in_a_network_is_folded_too():
    copy = serving.Network(_made(_bottlenecks_as_layer), CARD).folded
    names = {layer.name for layer in copy._flatten_layers()}
    assert {"bias1", "bias2"} <= names
    assert not {"bn1", "bn2"} & names
    assert copy.get_layer("resnet164").get_layer("stage1_unit2").strides == 2


def test_the_model_is_left_as_it_was():
    model = _made(_bottlenecks_as_layer)
    before = [weight.numpy() for weight in model.weights]
    policy = keras.config.dtype_policy().name
    serving.Network(model, CARD).folded
    assert keras.config.dtype_policy().name == policy
    for layer in model.layers:
        assert layer.output is not None  # raises where a layer is called anew
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_layers_of_several_policies_are_written_in_float32(dtype):
    body = _backbone(dtype=dtype)
    x = layers.Dense(32, dtype="float32")(body.output)
    x = Subclass(8, dtype="float32")(layers.Dense(16, dtype=dtype)(x))
    x = layers.Dense(10, dtype="float32")(x)
    x = layers.Activation("softmax", dtype="float32")(x)
    model = _made(lambda: keras.Model(body.input, x))
    copy = serving.Network(model, CARD).folded
    assert is_float32(copy)
    exact = float32_copy(model)
    np.testing.assert_allclose(_answers(copy), _answers(exact), atol=1e-5)
    np.testing.assert_allclose(_answers(copy), _answers(model), atol=0.1)


def test_layers_made_by_a_layer_are_float32_under_a_half_precision_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = _made(_subclass)
        copy = serving.Network(model, CARD).folded
    finally:
        keras.config.set_dtype_policy(before)
    assert not is_float32(model)
    assert is_float32(copy)


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


def _around(layer):
    def make():
        body = _backbone()
        return _classified(body.input, layer(body.output))

    return make


def _quantised():
    body = _backbone()
    x = layers.Dense(10, activation="softmax", name="odd")(body.output)
    model = keras.Model(body.input, x)
    model.quantize("int8", filters="odd")
    return model


def _batch_mean():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    x = _backbone()(image)
    return _classified(image, x - ops.mean(x, axis=0, keepdims=True))


REFUSED = {
    "Forgetful": (_around(Forgetful(3.0, name="odd")), "'odd' gives values"),
    "Demanding": (_around(Demanding(3.0, name="odd")), "'odd'.*get_config"),
    "Widening": (_around(Widening(2.0, name="odd")), "'odd'.*other weights"),
    "Lambda": (
        _around(layers.Lambda(lambda x: 2 * x, name="odd")),
        "'odd' .*get_config",
    ),
    "quantised": (_quantised, "'odd' is quantised"),
    "batch": (_batch_mean, "layer 'mean.*' gives values"),
    "code": (lambda: Subclass(), "functional.*Received: 'subclass"),
}


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_copied_is_refused_by_name(case, format, tmp_path):
    make, message = REFUSED[case]
    model = make()
    with pytest.raises(UsageError, match=message):
        WRITERS[format](model, tmp_path / "exported", card=CARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_what_a_format_has_no_form_for_is_refused_by_name(format, tmp_path):
    model = _around(Fourier(name="odd"))()
    with pytest.raises(UsageError, match="no form for layer 'odd'"):
        WRITERS[format](model, tmp_path / "exported", card=CARD)
    assert not list(tmp_path.iterdir())


def test_a_page_takes_a_head_of_maps_and_no_other(tmp_path):
    with pytest.raises(UsageError, match="GlobalAveragePooling2D, Dense"):
        export_web(_made(_nested_head), tmp_path / "web", card=CARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["stem", "stage2_unit1", "logits"])
def test_one_wrong_weight_is_seen_and_named(part):
    model = network()
    copy = serving.Network(model, CARD).folded
    weight = copy.get_layer(part).weights[0]
    value = weight.numpy()
    value[..., 0] *= 1.1
    weight.assign(value)
    with pytest.raises(UsageError, match=f"layer '{part}' gives values"):
        proof.check(model, copy, (SIZE, SIZE))


def test_wrong_weights_of_half_precision_are_seen():
    model, other = (
        network(dtype="mixed_bfloat16", seed=seed) for seed in (0, 1)
    )
    copy = float32_copy(other)
    with pytest.raises(UsageError, match="gives values that differ"):
        proof._compare(
            model, copy, proof._images((SIZE, SIZE)), proof.HALF_PRECISION_BOUND
        )


# A fixed batch, and other backends.


@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_fixed_batch_predicts_any_number_of_images(count):
    model = _made(_fixed_batch)
    images = np.tile(_images(), (2, 1, 1, 1))[:count]
    expected = np.tile(_answers(model), (2, 1))[:count]
    actual = KerasPredictor(model).predict(images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_a_fixed_batch_is_explained_whole_or_refused():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(_backbone(None)(image))
    x = layers.Dense(10, name="logits")(x)
    model = keras.Model(image, layers.Softmax()(x))
    assert explain.grad_cam(model, _images()).shape == (4, SIZE, SIZE)
    with pytest.raises(UsageError, match="takes 4 images .* Received: 1"):
        explain.grad_cam(model, _images()[:1])


_ON_JAX = """
import sys

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.evaluation import views
from keras_resnet.export.verification import isolated
from keras_resnet.export import pipeline
from keras_resnet.inference import runtime
from keras_resnet.export.verification import verify
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.export.writers.web import export_web
from keras_resnet.training import distribution

for call in (
    lambda: export_onnx(None, "x", card=None),
    lambda: export_saved_model(None, "x", card=None),
    lambda: export_tflite(None, "x", card=None),
    lambda: export_web(None, "x", card=None),
    lambda: pipeline.check(None, "x", card=None, formats=["onnx"]),
    lambda: views.evaluate([], None, None, views="center", batch_size=1),
    lambda: explain.grad_cam(None, None),
    lambda: distribution.make_strategy("one_device"),
):
    try:
        call()
    except UsageError as error:
        print(error)

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
predictor = runtime.load_predictor(f"{folder}/model.keras")
np.save(f"{folder}/answers.npy", predictor.predict(images))
reports = verify.verify(
    f"{folder}/exported",
    runtime.load_keras(f"{folder}/model.keras"),
    images.astype("uint8"),
    predict=isolated.predict,
)
print(reports[0].max_abs_diff)
"""


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """What JAX printed, its answers, and those of TensorFlow."""
    folder, model = tmp_path_factory.mktemp("jax"), network()
    images, labels = digits()
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", _images())
    pipeline.export_all(
        model,
        folder / "exported",
        card=CARD,
        formats=("tflite_float32",),
        images=images,
        labels=labels,
        predict=isolated.predict,
    )
    printed = run_on("jax", _ON_JAX, str(folder)).splitlines()
    return printed, np.load(folder / "answers.npy"), _answers(model)


def test_what_needs_tensorflow_says_so(on_jax):
    *lines, _ = on_jax[0]
    assert len(lines) == 8
    for line in lines:
        assert "needs Keras on TensorFlow: set KERAS_BACKEND=tenso" in line
        assert line.endswith("Received: the backend 'jax'.")


def test_jax_predicts_and_verifies_what_tensorflow_exported(on_jax):
    printed, answers, expected = on_jax
    assert float(printed[-1]) < 1e-5
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-5)
