"""Residual units as Keras layers.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so every layer runs on any Keras backend.
"""

import collections
import dataclasses
import functools

import keras
from keras import ops

from keras_resnet import execution
from keras_resnet import specs
from keras_resnet.initializers import HeNormal

_register = keras.saving.register_keras_serializable(package="keras_resnet")

# P1 sec. 3.4 and P2 appendix; the authors' Caffe and Torch code give the two
# numbers of BN. Fan-out and not truncated: resnet-1k-layers, torchvision, timm.
BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}


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
    conv = keras.layers.Conv2D(filters, kernel_size, strides, **kwargs)
    if strides == 1 or kernel_size == 1:
        return [conv]
    pad = keras.layers.ZeroPadding2D(
        kernel_size // 2, name=f"{conv.name}_pad", dtype=conv.dtype_policy
    )
    return [pad, conv]


def make_ops(names, convolutions=(), *, dtype, seen=None):
    """Layers for op names, numbered by kind in reading order.

    Args:
        names: tuple of "conv", "bn", "relu" and "pool"; of "bias" and "affine"
            where BN was folded (`keras_resnet.export.fold`).
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
        elif op in _NORMALISERS:
            layers.append(_NORMALISERS[op](**common))
        elif op == "relu":
            layers.append(ReLU(common["name"]))
        elif op == "pool":
            # Zeros are exact only after a ReLU: none can exceed what is there.
            pad = keras.layers.ZeroPadding2D if seen["relu"] else EdgePadding2D
            layers.append(pad(1, name="pool_pad", dtype=dtype))
            layers.append(keras.layers.MaxPooling2D(3, 2, **common))
        else:
            raise ValueError(
                f"Expected conv, bn, relu, pool, bias or affine. Received: {op}"
            )
    return layers


def _build(layers, shape):
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


def _apply(layers, x, training):
    for layer in layers:
        if isinstance(layer, _KNOW_TRAINING):
            x = layer(x, training=training)
        else:
            x = layer(x)
    return x


class ReLU:
    """max(x, 0). Not a Keras layer, which takes longer to make than to run."""

    def __init__(self, name):
        self.name = name

    def __call__(self, x):
        return ops.relu(x)

    def build(self, input_shape):
        pass

    def compute_output_shape(self, input_shape):
        return input_shape


@_register
class PixelNormalization(keras.layers.Layer):
    """(pixels - mean) / std, so that a network takes plain RGB pixels.

    `mean` and `std` are weights that are not trained: every file a network is
    saved to carries them. Unlike `keras.layers.Normalization` they are read at
    each call, so assigning or restoring them has effect.

    Args:
        mean, std: floats of shape (C,), in units of the pixels, 0..255. `std`
            is None where the first convolution divides by it.

    Input shape:
        (B, H, W, C), uint8 or float, 0..255.

    Output shape:
        (B, H, W, C), float.
    """

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.initial = {"mean": list(mean), "std": std and list(std)}

    def build(self, input_shape):
        for name, values in self.initial.items():
            if values is None:
                continue
            weight = self.add_weight(
                name=name,
                shape=(len(values),),
                initializer=_constant(values),
                trainable=False,
            )
            setattr(self, name, weight)

    def call(self, pixels):
        pixels = ops.cast(pixels, self.compute_dtype) - self.mean
        return pixels if self.initial["std"] is None else pixels / self.std

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), **self.initial}


def _constant(values):
    def initializer(shape, dtype=None):
        return ops.reshape(ops.convert_to_tensor(values, dtype=dtype), shape)

    return initializer


@_register
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


@_register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, trained by one kernel where the backend has one."""

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
            moving.assign(moving * self.momentum + new * (1 - self.momentum))
        return y


@_register
class Bias(keras.layers.Layer):
    """x + bias: BN after a convolution that its scale was folded into."""

    def build(self, input_shape):
        self.bias = self.add_weight(
            name="bias", shape=(input_shape[-1],), initializer="zeros"
        )

    def call(self, x):
        # TensorFlow's kernels fuse BiasAdd, which Keras makes of this.
        return ops.add(x, self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape


@_register
class Affine(keras.layers.Layer):
    """scale * x + offset: BN at inference where no convolution precedes it."""

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
_NORMALISERS = {
    "bn": functools.partial(BatchNormalization, **BATCH_NORM),
    "bias": Bias,
    "affine": Affine,
}


@_register
class Chain(keras.layers.Layer):
    """A few ops in a row under one name: the stem, or the end of a network.

    Args:
        ops, convolutions: as `make_ops` takes them.
    """

    def __init__(self, ops, convolutions=(), **kwargs):
        super().__init__(**kwargs)
        self.config = {"ops": list(ops), "convolutions": list(convolutions)}
        self.layers = make_ops(ops, convolutions, dtype=self.dtype_policy)

    def build(self, input_shape):
        _build(self.layers, input_shape)

    def call(self, x, training=None):
        return _apply(self.layers, x, training)

    def compute_output_shape(self, input_shape):
        return output_shape(self.layers, input_shape)

    def get_config(self):
        return {**super().get_config(), **self.config}


@_register
class ZeroPadShortcut(keras.layers.Layer):
    """Option A: take every `strides`-th pixel, append channels of zeros.

    No weights (P1 sec. 3.3). The zeros come last, as in fb.resnet.torch.
    """

    def __init__(self, filters, strides, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, x):
        x = x[:, :: self.strides, :: self.strides, :]
        extra = self.filters - x.shape[-1]
        return ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, extra]])

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        size = [n and -(-n // self.strides) for n in size]
        return (batch, *size, self.filters)

    def get_config(self):
        config = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **config}


@_register
class ResidualUnit(keras.layers.Layer):
    """x' = f(h(p) + F(p)), p = before(x): one residual unit (P2 eq. 1, 2).

    A projection reads p, the activation it shares with the branch; h reads x
    where it is the identity (P2 appendix). A projection is normalised if and
    only if the branch ends in BN.

    Args:
        filters: int, of the stage; the output has `block.expansion` times it.
        strides: int, of the unit.
        agrees: bool, whether input and output have the same shape, that is,
            whether `shortcut.same` or `shortcut.change` is h.
        block, placement, shortcut: rows of `specs`, or dicts of their fields.
        remat, shared: bools, how it is trained (`execution.call_unit`).

    Input shape:
        (B, H, W, C).

    Output shape:
        (B, ceil(H / strides), ceil(W / strides), filters * expansion).
    """

    def __init__(
        self,
        filters,
        *,
        strides,
        agrees,
        block,
        placement,
        shortcut,
        remat=False,
        shared=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.remat, self.shared = remat, shared
        self.filters, self.strides, self.agrees = filters, strides, agrees
        self.block = _row(specs.Block, block)
        self.placement = _row(specs.Placement, placement)
        self.shortcut = _row(specs.Shortcut, shortcut)
        seen = collections.Counter()
        self.before = self._ops(self.placement.before, seen=seen)
        self.branch = self._branch(seen)
        self.after_add = self._ops(self.placement.after_add, seen=seen)
        self.kind = self.shortcut.same if agrees else self.shortcut.change
        self.shortcut_layers = self._shortcut_layers()
        self.gate = self._gate() if self.shortcut.gate != "none" else []

    def _ops(self, names, convolutions=(), *, seen):
        return make_ops(names, convolutions, dtype=self.dtype_policy, seen=seen)

    def _branch(self, seen):
        block, placement = self.block, self.placement
        convolutions = [
            (self.filters * width, kernel, strides)
            for kernel, width, strides in zip(
                block.kernels,
                block.widths,
                [
                    self.strides if i == block.strided else 1
                    for i in range(len(block.kernels))
                ],
                strict=True,
            )
        ]
        joint = (*placement.between, "conv")
        names = ("conv", *joint * (len(block.kernels) - 1), *placement.after)
        return self._ops(names, convolutions, seen=seen)

    def _shortcut_layers(self):
        out, dtype = self.filters * self.block.expansion, self.dtype_policy
        if self.kind == "projection":
            name = "shortcut_conv"
            layers = conv2d(out, 1, self.strides, name=name, dtype=dtype)
            for op in self.placement.after:
                if op in _NORMALISERS:
                    name = f"shortcut_{op}"
                    layers.append(_NORMALISERS[op](name=name, dtype=dtype))
        elif self.kind == "zero_pad":
            name = "shortcut_zero_pad"
            layers = [
                ZeroPadShortcut(out, self.strides, name=name, dtype=dtype)
            ]
        else:
            layers = []
        if self.shortcut.dropout:
            layers.append(
                keras.layers.Dropout(
                    self.shortcut.dropout, name="shortcut_dropout", dtype=dtype
                )
            )
        return layers

    def _gate(self):
        return conv2d(
            self.filters * self.block.expansion,
            1,
            self.strides,
            use_bias=True,
            bias_initializer=keras.initializers.Constant(
                self.shortcut.gate_bias
            ),
            activation="sigmoid",
            name="gate",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        with execution.common_name():
            shared = _build(self.before, input_shape)
            output_shape = _build(self.branch, shared)
            _build(self.shortcut_layers, shared)
            _build(self.gate, shared)
            _build(self.after_add, output_shape)

    def call(self, x, training=None):
        if training:
            return execution.call_unit(self, x)
        return self.forward(x, training)

    def forward(self, x, training):
        """The unit itself: what `call` gives, however it is executed."""
        shared = _apply(self.before, x, training)
        branch = _apply(self.branch, shared, training)
        if self.kind == "none":
            return _apply(self.after_add, branch, training)
        shortcut = x if self.kind == "identity" else shared
        shortcut = _apply(self.shortcut_layers, shortcut, training)
        y = self._sum(shortcut, branch, shared)
        return _apply(self.after_add, y, training)

    def _sum(self, shortcut, branch, shared):
        row = self.shortcut
        if self.gate:
            gate = _apply(self.gate, shared, training=None)
            shortcut = (1 - gate) * shortcut
            branch = gate * branch if row.gate == "exclusive" else branch
        if row.scale != 1:
            shortcut = row.scale * shortcut
        if row.branch_scale != 1:
            branch = row.branch_scale * branch
        return shortcut + branch

    def compute_output_shape(self, input_shape):
        return output_shape(self.before + self.branch, input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "agrees": self.agrees,
            "block": dataclasses.asdict(self.block),
            "placement": dataclasses.asdict(self.placement),
            "shortcut": dataclasses.asdict(self.shortcut),
            "remat": self.remat,
            "shared": self.shared,
        }


def _row(row_type, value):
    """A row of a table from itself or from the dict that a file holds."""
    if isinstance(value, row_type):
        return value
    return row_type(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    )
