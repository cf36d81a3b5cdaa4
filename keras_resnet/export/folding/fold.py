"""The network that is exported: batch normalisation folded away, in float32.

At inference BN is scale * x + offset. Where it directly follows a convolution,
the scale goes into the kernel and a bias is left. Elsewhere, such as before the
weights of a pre-activation unit, BN stays one multiply-add. The division by the
pixels' deviation goes into the first convolution's kernel. The subtraction of
their mean stays, since that convolution pads with zeros: in a bias the mean
would be wrong along the edges.

An architecture is rows of ops, so folding transforms rows: "bn" becomes "bias"
or "affine", and strides move (`strides`). Every other op keeps its place, so
the layers with weights pair up in order. Layers that are not ours, in a head or
around a network, are copied as they are (`copies`).
"""

import keras
import numpy as np
from keras import ops

from keras_resnet.export.folding import copies
from keras_resnet.export.folding import graph
from keras_resnet.export.folding import strides
from keras_resnet.networks.layers import Chain
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import Affine
from keras_resnet.networks.operations import Bias
from keras_resnet.networks.operations import PixelNormalization


def fold(model):
    """An independent float32 copy of a model that infers with less work.

    The layers of `keras_resnet.build`, in nested networks too, lose their batch
    normalisation and get the strides of `strides.move`.

    Args:
        model: functional `keras.Model` of any dtype policy. A folded one is
            copied as it is; so is a layer that `features` reads inside.

    Returns:
        `keras.Model` with the same layer names and, up to rounding, the same
        function as `model(images, training=False)`.

    Raises:
        keras_resnet.UsageError: names a layer that cannot be copied.
    """
    read = graph.find_read_inside(model)
    alone = graph.find_unshared(model) - read
    divided, moved = {}, {}
    for network in graph.networks(model):
        readers = {
            layer: reader
            for layer, reader in graph.find_only_readers(network).items()
            if {layer, reader} <= alone
        }
        divided.update(_find_divided(readers))
        moved.update(strides.move(readers))
    changes = {
        layer: {**layer.with_ops(fold_ops), **moved.get(layer, {})}
        for network in graph.networks(model)
        for layer in network.layers
        if _is_ours(layer) and layer not in read
    }
    changes |= {pixels: {"std": None} for pixels in divided.values()}
    copy, layers = copies.remake(model, changes)
    for source, target in layers.items():
        pixels = divided.get(source)
        divisor = None if pixels is None else _float64(pixels.std)
        _give(source, target, divisor)
    return copy


def _is_ours(layer):
    """Whether a layer is exactly ours: a subclass may do something else."""
    return type(layer) in (Chain, ResidualUnit)


def fold_ops(names, previous=None):
    """The ops of a row without BN: "bias" after a convolution, else "affine".

    The row begins after the op `previous`.
    """
    result = []
    for name in names:
        if name == "bn":
            name = "bias" if previous == "conv" else "affine"
        result.append(name)
        previous = name
    return result


def _find_divided(readers):
    """{stem: the pixels layer whose division its kernel can take over}."""
    return {
        stem: pixels
        for pixels, stem in readers.items()
        if type(pixels) is PixelNormalization
        and pixels.initial["std"] is not None
        and type(stem) is Chain
        and stem.config["ops"][0] == "conv"
    }


def _give(source, target, divisor):
    """Gives a layer the folded state of the layer that it was made from."""
    if _is_ours(source):
        for theirs, ours in zip(source.paths(), target.paths(), strict=True):
            _fold(theirs, ours, divisor)
    elif type(source) is PixelNormalization:
        for weight in target.weights:
            weight.assign(getattr(source, weight.name))
    else:
        copies.copy_state(source, target)


def _fold(source, target, divisor=None):
    """Gives the layers of `target` the weights of `source`, folded."""
    source, target = map(_with_weights, (source, target))
    for place, (theirs, ours) in enumerate(zip(source, target, strict=True)):
        if isinstance(theirs, keras.layers.Conv2D):
            kernel = _float64(theirs.kernel)
            if divisor is not None:
                kernel, divisor = kernel / divisor[:, np.newaxis], None
            following = target[place + 1 : place + 2]
            if following and isinstance(following[0], Bias):
                kernel = kernel * _scale_and_offset(source[place + 1])[0]
            ours.kernel.assign(kernel.astype(np.float32))
            if theirs.use_bias:
                ours.bias.assign(_float64(theirs.bias))
        elif isinstance(ours, Bias):
            ours.bias.assign(_scale_and_offset(theirs)[1])
        elif isinstance(ours, Affine):
            scale, offset = _scale_and_offset(theirs)
            ours.scale.assign(scale)
            ours.offset.assign(offset)
        else:
            copies.copy_state(theirs, ours)


def _with_weights(layers):
    return [layer for layer in layers if getattr(layer, "weights", ())]


def _scale_and_offset(layer):
    """float64 (C,) both: of a BN, or of a folded one, at inference."""
    if isinstance(layer, Bias):
        return 1.0, _float64(layer.bias)
    if isinstance(layer, Affine):
        return _float64(layer.scale), _float64(layer.offset)
    gamma, beta, mean, variance = map(
        _float64,
        (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance),
    )
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _float64(weight):
    value = ops.convert_to_numpy(ops.cast(weight, "float32"))
    return value.astype(np.float64)
