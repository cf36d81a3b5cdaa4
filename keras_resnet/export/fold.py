"""The network that is exported: batch normalisation folded away, in float32.

At inference BN is scale * x + offset. Where it directly follows a convolution,
the scale goes into the kernel and a bias is left; elsewhere, as before the
weights of a pre-activation unit, it stays one multiply-add. The division by the
pixels' deviation goes into the first convolution's kernel; the subtraction of
their mean stays, since that convolution pads with zeros: in a bias the mean
would be wrong along the edges.

As architecture is rows, the folded network is a row transformed: "bn" becomes
"bias" or "affine" and strides move (`strides`), every other op keeps its place,
so that the layers of both networks that have weights pair up in order.
"""

import keras
import numpy as np
from keras import ops

from keras_resnet.export import strides
from keras_resnet.layers import Chain
from keras_resnet.layers import ResidualUnit
from keras_resnet.operations import Affine
from keras_resnet.operations import Bias
from keras_resnet.operations import PixelNormalization


def folded(model):
    """An independent float32 copy of a model, that infers with less work.

    Without batch normalisation, and with the strides of `strides.moved`.

    Args:
        model: `keras.Model` from `keras_resnet.build`, of any dtype policy. A
            folded one is copied as it is.

    Returns:
        `keras.Model` of the same layers' names and, up to rounding, the same
        function as `model(images, training=False)`.
    """
    first = _first_convolution(model)
    # What a model of several outputs gives must stay whole.
    moved = strides.moved(model.layers) if len(model.outputs) == 1 else {}

    def clone(layer):
        config = {**layer.get_config(), "dtype": "float32"}
        config.update(moved.get(layer.name, {}))
        if isinstance(layer, ResidualUnit):
            config["placement"] = {
                place: folded_ops(names, "conv" if place in _WEIGHTS else None)
                for place, names in config["placement"].items()
            }
        elif isinstance(layer, Chain):
            config["ops"] = folded_ops(config["ops"])
        elif isinstance(layer, PixelNormalization) and first is not None:
            config["std"] = None
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    divisor = None
    for source, target in zip(model.layers, copy.layers, strict=True):
        if isinstance(source, PixelNormalization):
            divisor = _divisor(source, target)
        for theirs, ours in _chains(source, target):
            _fold(theirs, ours, divisor if source is first else None)
    return copy


# Places of a unit whose first BN follows a convolution.
_WEIGHTS = ("between", "after")


def folded_ops(names, previous=None):
    """The ops of a row without BN: "bias" after a convolution, else "affine".

    Args:
        names: sequence of op names, as `specs` has them.
        previous: op before the first of them, or None.

    Returns:
        list of op names, as many.
    """
    result = []
    for name in names:
        if name == "bn":
            name = "bias" if previous == "conv" else "affine"
        result.append(name)
        previous = name
    return result


def _first_convolution(model):
    """The stem right after the pixels' normalisation, or None."""
    for layer, following in zip(model.layers, model.layers[1:], strict=False):
        if isinstance(layer, PixelNormalization):
            starts = isinstance(following, Chain)
            starts = starts and following.config["ops"][0] == "conv"
            return following if starts else None
    return None


def _divisor(source, target):
    """float64 (C,) that pixels are no longer divided by, or None."""
    stays = source.initial["std"] is None or target.initial["std"] is not None
    return None if stays else _float64(source.std)


def _chains(source, target):
    """Pairs of lists of layers: what is applied in a row, in both networks."""
    if isinstance(source, ResidualUnit):
        for name in ("before", "branch", "shortcut_layers", "gate"):
            yield getattr(source, name), getattr(target, name)
        yield source.after_add, target.after_add
    elif isinstance(source, Chain):
        yield source.layers, target.layers
    else:
        yield [source], [target]


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
            _copy(theirs, ours)


def _with_weights(layers):
    return [layer for layer in layers if getattr(layer, "weights", ())]


def _copy(source, target):
    kept = {weight.name: weight for weight in source.weights}
    for weight in target.weights:
        weight.assign(_float64(kept[weight.name]))


def _scale_and_offset(layer):
    """float64 (C,) both: what a BN, or a folded one, does at inference."""
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
