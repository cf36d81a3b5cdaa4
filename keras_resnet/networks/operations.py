"""The operations that rows of `specs` name, as Keras layers.

An operation is a Keras layer. Other code reads these attributes of it:

- `pixelwise`, bool: at inference each output pixel depends on one input pixel,
  by the same rule everywhere. It may skip pixels. Without the attribute an
  operation is assumed to mix pixels, and exports keep all of its input.
- `multiply_adds(shape)`: their number for an input of shape (1, H, W, C), as P1
  Table 1 counts them. Without the attribute there are none.
- `gradient_reads`: which of "input" and "output" its gradient reads, for the
  count of what training keeps.
- `layers`: the layers in it, if it has any; freezing a network finds batch
  normalisations there. Give them names: a path identifies a weight.
- `call(x, training)`, if training differs. `trainable` says whether a variable
  is trained or is state.

`register` adds one of your own. Shapes: B batch, H height, W width, C channels.
Images are channels-last. Imports keras only, so every layer runs on any Keras
backend.
"""

import collections
import functools
import inspect
import math

import keras

from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row
from keras_resnet.networks.grouped import GroupedConv2D
from keras_resnet.networks.initializers import HeNormal
from keras_resnet.networks.primitives import Affine
from keras_resnet.networks.primitives import BatchNormalization
from keras_resnet.networks.primitives import Bias
from keras_resnet.networks.primitives import EdgePadding2D
from keras_resnet.networks.primitives import PixelNormalization
from keras_resnet.networks.primitives import ReLU
from keras_resnet.networks.primitives import serializable

__all__ = (
    "Affine",
    "BatchNormalization",
    "Bias",
    "EdgePadding2D",
    "PixelNormalization",
    "ReLU",
    "serializable",
)

# The numbers of BN are those of the authors' Caffe and Torch code.
BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}

# For every layer that takes it: its default is what keras.json or
# `keras.config.set_image_data_format` says when the layer is made.
LAYOUT = {"data_format": "channels_last"}


def conv2d(filters, kernel_size, strides, groups=1, dilation=1, **kwargs):
    """Layers of a convolution padded by `kernel_size // 2` on every side.

    A dilated convolution reads pixels that are `dilation` apart. Its padding is
    that many times as wide, and it does not stride.

    Keras' `padding="same"` pads (0, 1) at stride 2 where Caffe and PyTorch pad
    (1, 1), so a strided convolution is a `ZeroPadding2D` and a valid one. All
    padding of convolutions is decided here.

    Returns:
        list of one or two Keras layers, to be applied in order.
    """
    kwargs = {"use_bias": False, "kernel_initializer": HeNormal(), **kwargs}
    if strides == 1:
        kwargs |= {"padding": "same", "dilation_rate": dilation}
    kind = keras.layers.Conv2D if groups == 1 else GroupedConv2D
    common = {"groups": groups, **LAYOUT, **kwargs}
    conv = kind(filters, kernel_size, strides, **common)
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
        names: tuple of keys of `OPERATIONS`. An export turns "bn" into "bias"
            or "affine" (`keras_resnet.export.folding.fold`).
        convolutions: for each "conv" in turn, the arguments of `conv2d`:
            (filters, kernel_size, strides), or these, groups and dilation.
        dtype: dtype policy of the layers.
        seen: `collections.Counter` of the ops numbered so far, updated.

    Returns:
        list of Keras layers and `ReLU`, named conv1, bn1, relu1, conv2, ...

    Raises:
        keras_resnet.UsageError: for an unknown name.
    """
    convolutions = iter(convolutions)
    seen = collections.Counter() if seen is None else seen
    layers = []
    for op in names:
        make = lookup(OPERATIONS, op, "operation")
        seen[op] += 1
        common = {"name": f"{op}{seen[op]}", "dtype": dtype}
        if op == "pool":
            common["zeros"] = seen["relu"] > 0  # ReLU outputs are >= 0
        sizes = next(convolutions) if op == "conv" else ()
        made = make(*sizes, **common)
        layers += made if isinstance(made, list) else [made]
    return layers


def _pool(zeros, name, dtype):
    """Layers of a 3 x 3 max-pooling with stride 2, padded by one pixel."""
    common = {"name": "pool_pad", "dtype": dtype}
    pool = keras.layers.MaxPooling2D(3, 2, name=name, dtype=dtype, **LAYOUT)
    if zeros:
        return [keras.layers.ZeroPadding2D(1, **LAYOUT, **common), pool]
    return [EdgePadding2D(1, **common), pool]


def _relu(name, dtype):
    del dtype
    return ReLU(name)


# The forms of a BN: in training, and folded.
NORMALISERS = {
    "bn": functools.partial(BatchNormalization, **BATCH_NORM),
    "bias": Bias,
    "affine": Affine,
}

# {name in a row: function from a name and a dtype to its layer}.
OPERATIONS = {
    "conv": conv2d,
    "relu": _relu,
    "pool": _pool,
    "zero_pool": functools.partial(_pool, True),  # whatever its input
    **NORMALISERS,
}


def register(name, make):
    """Adds an operation that rows of `specs` may name.

    Call it in a module of yours that `--import` names, before a network with
    the operation is built or loaded. Register the class with Keras too:
    `keras.saving.register_keras_serializable`.

    Args:
        name: of letters; its layers are called name1, name2, ...
        make: function of `name` and `dtype` (a dtype policy), such as a class
            of Keras layers. The docstring of this module says what they need.

    Raises:
        keras_resnet.UsageError: if the name is taken.

    Example:

    >>> register("se", SqueezeExcite)
    >>> placement = specs.Placement(
    ...     between=("bn", "relu"), after=("bn", "se"), after_add=("relu",)
    ... )
    >>> build("resnet50", placement=placement)
    """
    register_row(OPERATIONS, name, make, "operation")


def build(layers, shape):
    """Builds layers that are applied in order; gives the last one's shape."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def output_shape(layers, shape):
    """The output shape of layers that are applied in order."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape


def apply(layers, x, training):
    """Applies layers to a tensor, in order."""
    for layer in layers:
        # Pass `training` explicitly: Keras propagates it only inside a model
        # call, and recomputing a unit for the gradient is not one.
        if _takes_training(type(layer)):
            x = layer(x, training=training)
        else:
            x = layer(x)
    return x


@functools.cache
def _takes_training(kind):
    call = getattr(kind, "call", kind.__call__)
    return "training" in inspect.signature(call).parameters


def leaves(layers):
    """All layers that contain no layers, in order."""
    return [
        leaf
        for layer in layers
        for leaf in (leaves(layer.layers) if _has_layers(layer) else [layer])
    ]


def _has_layers(layer):
    return getattr(layer, "layers", None) is not None


# {Keras class: whether a layer of it is pixelwise}.
_PIXELWISE = {
    keras.layers.Conv2D: lambda layer: layer.kernel_size == (1, 1),
    keras.layers.MaxPooling2D: lambda layer: layer.pool_size == (1, 1),
    keras.layers.Dropout: lambda layer: True,
}


def is_pixelwise(layer):
    """Whether each output pixel of a layer depends on one input pixel."""
    known = _PIXELWISE.get(type(layer))
    return known(layer) if known else getattr(layer, "pixelwise", False)


def multiply_adds(layer, shape):
    """Multiply-adds of a layer for an input of a shape (1, ..., C): an int."""
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        positions = layer.compute_output_shape(shape)[1:-1]
        return math.prod((*positions, *layer.kernel.shape))
    counted = getattr(layer, "multiply_adds", None)
    return counted(shape) if counted else 0


def sum_multiply_adds(layers, shape):
    """Multiply-adds of layers that are applied in order."""
    total = 0
    for layer in layers:
        total += multiply_adds(layer, shape)
        shape = layer.compute_output_shape(shape)
    return total
