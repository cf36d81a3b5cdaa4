"""The operations that rows of `specs` name, as Keras layers.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so every layer runs on any Keras backend.
"""

import collections
import functools

import keras
from keras import ops

from keras_resnet.errors import require
from keras_resnet.networks import execution
from keras_resnet.networks.initializers import HeNormal

register = keras.saving.register_keras_serializable(package="keras_resnet")

# P1 sec. 3.4 and P2 appendix; the authors' Caffe and Torch code give the two
# numbers of BN. Fan-out and not truncated: resnet-1k-layers, torchvision, timm.
BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}

# Of every layer that asks: else it is what keras.json or
# `keras.config.set_image_data_format` says when the layer is made.
LAYOUT = {"data_format": "channels_last"}


def conv2d(filters, kernel_size, strides, **kwargs):
    """Layers of a convolution padded by `kernel_size // 2` on every side.

    Keras' `padding="same"` pads (0, 1) at stride 2 where Caffe and PyTorch pad
    (1, 1), so a strided convolution is a `ZeroPadding2D` and a valid one. All
    padding of convolutions is decided here.

    Returns:
        list of one or two Keras layers, to be applied in order.
    """
    kwargs = {"use_bias": False, "kernel_initializer": HeNormal(), **kwargs}
    if strides == 1:
        kwargs["padding"] = "same"
    conv = keras.layers.Conv2D(
        filters, kernel_size, strides, **LAYOUT, **kwargs
    )
    if strides == 1 or kernel_size == 1:
        return [conv]
    pad = keras.layers.ZeroPadding2D(
        kernel_size // 2,
        name=f"{conv.name}_pad",
        dtype=conv.dtype_policy,
        **LAYOUT,
    )
    return [pad, conv]


def make_ops(names, convolutions=(), *, dtype, seen=None):
    """Layers for op names, numbered by kind in reading order.

    Args:
        names: tuple of "conv", "bn", "relu" and "pool"; of "bias" and "affine"
            where BN was folded (`keras_resnet.export.folding.fold`).
        convolutions: (filters, kernel_size, strides) of each "conv" in turn.
        dtype: dtype policy of the layers.
        seen: `collections.Counter` of the ops numbered so far, updated.

    Returns:
        list of Keras layers and `ReLU`, named conv1, bn1, relu1, conv2, ...
    """
    convolutions = iter(convolutions)
    seen = collections.Counter() if seen is None else seen
    layers = []
    for op in names:
        seen[op] += 1
        common = {"name": f"{op}{seen[op]}", "dtype": dtype}
        if op == "conv":
            layers += conv2d(*next(convolutions), **common)
        elif op in NORMALISERS:
            layers.append(NORMALISERS[op](**common))
        elif op == "relu":
            layers.append(ReLU(common["name"]))
        elif op == "pool":
            layers.append(_pool_pad(dtype, after_relu=seen["relu"]))
            layers.append(keras.layers.MaxPooling2D(3, 2, **LAYOUT, **common))
        else:
            raise ValueError(
                f"Expected conv, bn, relu, pool, bias or affine. Received: {op}"
            )
    return layers


def _pool_pad(dtype, after_relu):
    common = {"name": "pool_pad", "dtype": dtype}
    # Zeros are exact only after a ReLU: none can exceed what is there.
    if after_relu:
        return keras.layers.ZeroPadding2D(1, **LAYOUT, **common)
    return EdgePadding2D(1, **common)


def build(layers, shape):
    """Builds layers that are applied in order; gives the last one's shape."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def output_shape(layers, shape):
    """The shape that layers, applied in order, make of a shape."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape


# Said to each: Keras would tell them only within the call of a model, which a
# unit that is computed again for the gradient is not.
_KNOW_TRAINING = (keras.layers.BatchNormalization, keras.layers.Dropout)


def apply(layers, x, training):
    """What layers make of a tensor, in order."""
    for layer in layers:
        if isinstance(layer, _KNOW_TRAINING):
            x = layer(x, training=training)
        else:
            x = layer(x)
    return x


# Of layers of Keras: whether one has this property. Our own say so themselves.
_PIXELWISE = {
    keras.layers.Conv2D: lambda layer: layer.kernel_size == (1, 1),
    keras.layers.MaxPooling2D: lambda layer: layer.pool_size == (1, 1),
    keras.layers.Dropout: lambda layer: True,
}


def is_pixelwise(layer):
    """Whether what a layer gives for a pixel is made of that pixel alone.

    And by the same rule for all, at inference: it may skip pixels, but not mix
    them. A layer that does not say so is taken to mix them.
    """
    known = _PIXELWISE.get(type(layer))
    return known(layer) if known else getattr(layer, "pixelwise", False)


class ReLU:
    """max(x, 0). Not a Keras layer, which takes longer to make than to run."""

    pixelwise = True
    # What `keras.Model.summary` reads of the layers within another one.
    _inbound_nodes = ()

    def __init__(self, name):
        self.name = name
        self._build_shapes_dict = {}

    def __call__(self, x):
        return ops.relu(x)

    def build(self, input_shape):
        self._build_shapes_dict = {"input_shape": input_shape}

    def compute_output_shape(self, input_shape):
        return input_shape


@register
class PixelNormalization(keras.layers.Layer):
    """(pixels - mean) / std, so that a network takes plain RGB pixels.

    `mean` and `std` are weights that are not trained: every file a network is
    saved to carries them. Unlike `keras.layers.Normalization` they are read at
    each call, so assigning or restoring them has effect.

    Args:
        mean, std: floats of shape (C,), in units of the pixels, 0..255. `std`
            is None where the first convolution divides by it.
        mean_size: (H, W) where the weight `mean` is an image (H, W, C), every
            pixel of it `mean` at first (P1 sec. 3.4); None for a colour (C,).

    Input shape:
        (B, H, W, C), uint8 or float, 0..255; H and W those of a mean image.

    Output shape:
        (B, H, W, C), float.

    Raises:
        keras_resnet.UsageError: for images of another size than the mean's.
    """

    def __init__(self, mean, std, mean_size=None, **kwargs):
        super().__init__(**kwargs)
        self.initial = {"mean": list(mean), "std": std and list(std)}
        self.mean_size = mean_size and tuple(mean_size)

    def build(self, input_shape):
        self._check_size(input_shape)
        sizes = {"mean": self.mean_size or (), "std": ()}
        for name, values in self.initial.items():
            if values is None:
                continue
            weight = self.add_weight(
                name=name,
                shape=(*sizes[name], len(values)),
                initializer=_constant(values),
                trainable=False,
            )
            setattr(self, name, weight)

    @property
    def mean_color(self):
        """float (C,), NumPy: the mean, over the positions of an image too."""
        mean = ops.convert_to_numpy(self.mean)
        return mean.reshape(-1, mean.shape[-1]).mean(axis=0, dtype="float64")

    def call(self, pixels):
        pixels = ops.cast(pixels, self.compute_dtype) - self.mean
        return pixels if self.initial["std"] is None else pixels / self.std

    def compute_output_shape(self, input_shape):
        self._check_size(input_shape)
        return input_shape

    def _check_size(self, shape):
        require(
            self.mean_size in (None, tuple(shape[1:3])),
            f"The network subtracts a mean image of {self.mean_size} pixels, "
            "so it takes images of that height and width alone. Received: "
            f"{tuple(shape[1:3])}. Images of other sizes need a network with "
            "a pixel_mean for each channel.",
        )

    def get_config(self):
        config = {**super().get_config(), **self.initial}
        return {**config, "mean_size": self.mean_size}


def _constant(values):
    def initializer(shape, dtype=None):
        # Not `broadcast_to`: PyTorch assigns nothing to what it gives.
        return ops.zeros(shape, dtype) + ops.convert_to_tensor(values, dtype)

    return initializer


@register
class EdgePadding2D(keras.layers.Layer):
    """Repeats the outermost pixels `padding` times.

    Before max-pooling this is padding by minus infinity, which PyTorch does,
    as long as no window lies in the padding alone: what is repeated is in the
    window already. It needs no value that half precision or a quantised
    network lacks.

    Args:
        padding: int, pixels on each side.

    Input shape:
        (B, H, W, C).

    Output shape:
        (B, H + 2 * padding, W + 2 * padding, C).
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, x):
        n = self.padding
        top, bottom = x[:, :1], x[:, -1:]
        x = ops.concatenate([*[top] * n, x, *[bottom] * n], axis=1)
        left, right = x[:, :, :1], x[:, :, -1:]
        return ops.concatenate([*[left] * n, x, *[right] * n], axis=2)

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        size = [n and n + 2 * self.padding for n in size]
        return (batch, *size, channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, trained by one kernel where the backend has one."""

    pixelwise = True

    def call(self, inputs, training=None, mask=None):
        learns = training and self.trainable
        if not (learns and execution.has_fused_batch_norm(inputs)):
            return super().call(inputs, training=training, mask=mask)
        y, mean, variance = execution.fused_batch_norm(
            inputs, self.gamma, self.beta, self.epsilon
        )
        for moving, new in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = ops.cast(moving, new.dtype)
            moving.assign(old * self.momentum + new * (1 - self.momentum))
        return y


@register
class Bias(keras.layers.Layer):
    """x + bias: BN after a convolution that its scale was folded into."""

    pixelwise = True

    def build(self, input_shape):
        self.bias = self.add_weight(
            name="bias", shape=(input_shape[-1],), initializer="zeros"
        )

    def call(self, x):
        # TensorFlow's kernels fuse BiasAdd, which Keras makes of this.
        return ops.add(x, self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape


@register
class Affine(keras.layers.Layer):
    """scale * x + offset: BN at inference where no convolution precedes it."""

    pixelwise = True

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.scale = self.add_weight(
            name="scale", shape=shape, initializer="ones"
        )
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros"
        )

    def call(self, x):
        return x * self.scale + self.offset

    def compute_output_shape(self, input_shape):
        return input_shape


# What a BN is, in training and when it is folded.
NORMALISERS = {
    "bn": functools.partial(BatchNormalization, **BATCH_NORM),
    "bias": Bias,
    "affine": Affine,
}
