"""What users build around our networks: heads, backbones in models, layers.

All weights are random, so that each one matters.
"""

import dataclasses

import keras
import numpy as np
from exported_networks import NAMES
from exported_networks import network
from exported_networks import randomize
from keras import layers
from keras import ops

from keras_resnet.export.folding import graph
from keras_resnet.labels.cards import Card
from keras_resnet.networks import specs

SIZE = 16
CARD = Card(
    class_names=NAMES,
    variant="made",
    dataset="digits",
    image_size=SIZE,
    eval_resize=18,
)


def backbone(pooling="avg", **choices):
    return network(include_top=False, pooling=pooling, **choices)


def _image(**choices):
    return keras.Input((SIZE, SIZE, 3), **choices)


def classified(image, x):
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def around(layer):
    """A function that makes a classifier with a layer after the backbone."""

    def make():
        body = backbone()
        return classified(body.input, layer()(body.output))

    return make


def _nested_head():
    return keras.Sequential([layers.Dense(64), layers.Dense(64)])


def _sequential():
    return keras.Sequential(
        [backbone(), layers.Dense(10), layers.Activation("softmax")]
    )


def _bottlenecks_as_layer():
    image = _image()
    body = network(
        "resnet164",
        include_top=False,
        depths=(2, 2, 1),
        filters=(4, 8, 8),
        input_shape=(SIZE, SIZE, 3),
    )
    x = layers.GlobalMaxPooling2D()(body(image, training=False))
    x = layers.Dropout(0.5)(x)
    return classified(image, layers.LayerNormalization()(x))


def _groups():
    """Groups of a kind that ONNX has no form for if XLA compiles it."""
    row = specs.BLOCKS["resnext_32x4d"]
    return network(
        "resnext50_32x4d",
        depths=(1, 1),
        filters=(4, 8),
        input_shape=(SIZE, SIZE, 3),
        block=dataclasses.replace(row, groups=4),
    )


def _classifier_twice():
    image, body = _image(), network()
    x = layers.Concatenate()([body(image), body(255 - image)])
    return classified(image, x)


def _attention():
    body = backbone(pooling=None)
    x = layers.Reshape((-1, 64))(body.output)
    x = x + layers.MultiHeadAttention(2, 8)(x, x)
    x = layers.LayerNormalization()(x)
    return classified(body.input, layers.GlobalAveragePooling1D()(x))


def _layer_twice():
    body, dense = backbone(), layers.Dense(64, activation="relu")
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


class Weighted(layers.Layer):
    """Two weights of one name and one shape, and one of another name."""

    def build(self, shape):
        self.kernels = [
            self.add_weight(name="kernel", shape=shape[-1:]) for _ in range(2)
        ]

    def call(self, x):
        return x * self.kernels[0] - ops.tanh(self.kernels[1])


def _operators():
    image = _image()
    x = layers.Rescaling(0.5, offset=10)(image)
    x = backbone(pooling=None)(x)
    x = ops.mean(x, axis=(1, 2)) + 0.5 * ops.max(x, axis=(1, 2))
    x = layers.Concatenate()([layers.Add()([x, ops.sin(x)]), x[:, :5]])
    return keras.Model(image, ops.softmax(layers.Dense(10)(x)))


def _low_rank():
    body, dense = backbone(), layers.Dense(64)
    model = classified(body.input, dense(body.output))
    dense.enable_lora(4)
    return model


def _adapted():
    """A layer whose state is more than its weights."""
    image, norm = _image(), layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(100, 30, (8, SIZE, SIZE, 3)))
    x = layers.Conv2D(8, 3, activation="relu")(norm(image))
    return classified(image, layers.GlobalAveragePooling2D()(x))


def _fixed_batch():
    image = keras.Input(batch_shape=(4, SIZE, SIZE, 3))
    return classified(image, backbone()(image))


def _named_ends():
    body = backbone()
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
    return classified(image, x)


def _differences_read_twice():
    """A subtraction that other layers also read, before it is transposed."""
    image = _image()
    x = image - np.float32([100, 120, 90])
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x) / 100)
    x = layers.Flatten()(x / 100)
    return classified(image, layers.Concatenate()([x, y]))


def _own_mean():
    """A subtraction of a value that is not constant."""
    image = _image()
    x = image - ops.mean(image, axis=(1, 2), keepdims=True)
    x = layers.Conv2D(8, 3, activation="relu")(x / 100)
    return classified(image, layers.GlobalAveragePooling2D()(x))


MADE = {
    "nested": around(_nested_head),
    "sequential": _sequential,
    "bottlenecks": _bottlenecks_as_layer,
    "groups": _groups,
    "twice": _classifier_twice,
    "attention": _attention,
    "layer_twice": _layer_twice,
    "subclass": around(lambda: Subclass(24)),
    "equal_names": around(Weighted),
    "operators": _operators,
    "low_rank": _low_rank,
    "adapted": _adapted,
    "fixed_batch": _fixed_batch,
    "named_ends": _named_ends,
    "padded_pools": _padded_pools,
    "read_twice": _differences_read_twice,
    "own_mean": _own_mean,
}


def made(make):
    """A row of `MADE`, or what a function makes.

    Its random weights are small, so that no probability is 0 or 1.
    """
    keras.utils.set_random_seed(0)
    model = MADE.get(make, make)()
    randomize(model)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("kernel", "lora_kernel_b"):
            noise = rng.normal(0, 0.05, weight.shape)
            weight.assign(ops.convert_to_numpy(weight) + noise)
    return model


def images():
    """float32 (4, S, S, 3) of noise, 0..255."""
    shape = (4, SIZE, SIZE, 3)
    return np.random.default_rng(2).integers(0, 256, shape).astype("float32")


def answers(model):
    """A model's answers to `images`, for any form of input and output."""
    pixels = ops.convert_to_tensor(images())
    form = graph.network(model).input
    named = keras.tree.map_structure(lambda _: pixels, form)
    (answers,) = keras.tree.flatten(model(named, training=False))
    return ops.convert_to_numpy(answers)
