"""Transfer learning: what to freeze, how fast to train the rest, grey images.

H height, W width, F filters.
"""

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import operations
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.weights import loading


def freeze(
    model: keras.Model, until: str | None, batch_norm: bool | None = None
) -> None:
    """Stops training of a network from its input up to a stage.

    The call describes the whole network: what it does not freeze is trainable
    afterwards, whatever was frozen before. Call it before an optimizer is built
    and before `fit` or a training step is made.

    A frozen batch normalisation is in inference mode, even in a call with
    `training=True`: it normalises by its moving statistics and leaves them
    alone. That is Keras' rule for `trainable=False`, so it holds in frozen
    stages with `batch_norm=False` too. `batch_norm=True` is for the stages that
    go on training: a few small batches would spoil their statistics. Keras
    stores the `trainable` of whole units only: call this again to freeze a
    model that is loaded again.

    Args:
        model: from `keras_resnet.build`, or one that was extended from it
            without nesting; layers that are not ours stay trainable.
        until: the last part to freeze: "stem", "stage1", "stage2", ..., or
            "head" for all but the classifier. None freezes no weights.
        batch_norm: whether every batch normalisation of the network is frozen
            too. Default: if `until` is not None.

    Raises:
        keras_resnet.UsageError: if the network has no such part.

    Example:

    >>> freeze(model, until="stage3", batch_norm=True)
    """
    parts = _parts(model)
    if until is not None:
        lookup(parts, until, "part of the network")
    # A functional model does not pass `trainable` on to its layers. A layer
    # that has the value already does not pass it on to its inner layers.
    for value in (False, True):
        for layer in (model, *model.layers):
            layer.trainable = value
    if until is not None:
        for name, layers in parts.items():
            for layer in layers:
                layer.trainable = False
            if name == until:
                break
    if batch_norm or (batch_norm is None and until is not None):
        for layer in batch_norms(model):
            layer.trainable = False


def batch_norms(model):
    """All batch normalisations of a network, those inside units included."""
    return [
        layer
        for layer in operations.leaves(model.layers)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def rate_multipliers(model, *, head=1.0, stage_decay=1.0):
    """Discriminative learning rates: the nearer to the pixels, the slower.

    References: Howard and Ruder 2018, arXiv 1801.06146, sec. 3.2.

    Args:
        model: from `keras_resnet.build`.
        head: float > 0, of the classifier.
        stage_decay: float > 0. The last stage trains at the base rate, each
            part before it at `stage_decay` times the rate of its successor.

    Returns:
        dict from prefixes of variable paths to factors, as
        `optimizers.SGD(rate_multipliers=)` takes it; factors of 1 are left
        out.
    """
    names = [name for name in _parts(model) if name != "head"]
    factors = {
        ("stem/" if name == "stem" else f"{name}_"): stage_decay**distance
        for distance, name in enumerate(reversed(names))
    }
    factors["logits/"] = head
    return {prefix: value for prefix, value in factors.items() if value != 1}


def _parts(model):
    """{"stem": layers, "stage1": layers, ..., "head": layers}, in order.

    "head" is what stands between the last unit and the classifier.
    """
    parts = {"stem": []}
    for layer in model.layers:
        if isinstance(layer, ResidualUnit):
            parts.setdefault(layer.name.split("_")[0], []).append(layer)
        elif layer.name in ("pixels", "stem"):
            parts["stem"].append(layer)
    require(
        len(parts) > 1,
        "This needs a model from keras_resnet.build, with layers "
        f"'stage1_unit1' and so on. Received: {model.name!r}.",
    )
    parts["head"] = [
        layer for layer in model.layers if layer.name in ("final", "pool")
    ]
    return parts


def load_body(model, source):
    """Loads all but the classifier, whose classes may differ.

    Args:
        model: from `keras_resnet.build`, with its top.
        source: as `keras_resnet.load_weights` takes it; of the same network
            but for the classes.

    Raises:
        keras_resnet.UsageError: if the file does not hold such a network.
    """
    body = keras.Model(
        model.input, model.get_layer("pool").output, name=model.name
    )
    loading.load_weights(body, source)


def grey_kernel(kernel, mean, std):
    """The first convolution of an RGB network, for images of one channel.

    With g the grey value, an RGB network sees (g - mean_c) / std_c in channel
    c and convolves that with kernel_c. The sum over c is the convolution of
    (g - m) / s with the kernel returned, plus a constant for each filter.

    Args:
        kernel: float (H, W, 3, F).
        mean, std: float (3,), the RGB network's, units of pixels.

    Returns:
        Tuple of the kernel (H, W, 1, F), its mean m (1,) and deviation s (1,),
        float32, and the shift (F,), float32: how much more the convolution
        gives than that of the RGB network wherever its window has no padding.
        It is 0 everywhere if the three means are equal.
    """
    kernel, mean, std = (np.asarray(x, np.float64) for x in (kernel, mean, std))
    grey_std = 1 / np.mean(1 / std)
    grey_mean = grey_std * np.mean(mean / std)
    scaled = kernel / std[:, np.newaxis]
    shift = scaled * (mean - grey_mean)[:, np.newaxis]
    arrays = (
        scaled.sum(axis=2, keepdims=True) * grey_std,
        grey_mean[np.newaxis],
        grey_std[np.newaxis],
        shift.sum(axis=(0, 1, 2)),
    )
    return tuple(array.astype(np.float32) for array in arrays)


def grey_from_rgb(grey: keras.Model, rgb: keras.Model) -> None:
    """Gives a network of one channel the weights of one of three.

    On grey images it then computes what the RGB network computes on the image
    repeated three times. This is exact (to rounding) if the pixel means of the
    three channels are equal. Otherwise the first batch normalisation takes up
    the difference (in its moving mean). That is exact but for outputs of the
    first convolution whose window reaches into the zero padding: 3 pixels at
    the border of an ImageNet network, 1 of a CIFAR one. Measured on the first
    100 digits of the validation split, ResNet-20 after 150 steps: with the
    digits' equal means probabilities differ by 4e-7 at most; with CIFAR's
    unequal ones by 1.0e-2, and all 100 classes agree. To be exact with
    unequal means, repeat the channel and keep the RGB network.

    Args:
        grey: `keras.Model` from `build(..., input_shape=(H, W, 1))`; changed.
        rgb: the same network of three channels.

    Raises:
        keras_resnet.UsageError: if the two differ elsewhere, or subtract a
            mean image.
    """
    constants = rgb.get_layer("pixels")
    require(
        constants.mean_size is None,
        "grey_from_rgb needs a network that subtracts a mean colour: with a "
        "mean image the difference between the channels is another one at "
        "each place. Repeat the channel and keep the RGB network. Received: a "
        f"mean image of {constants.mean_size} pixels.",
    )
    conv, norm = _first_convolution(rgb)
    kernel, mean, std, shift = grey_kernel(
        *map(_array, (conv.kernel, constants.mean, constants.std))
    )
    values = {variable.path: _array(variable) for variable in rgb.variables}
    values |= {conv.kernel.path: kernel}
    values |= {constants.mean.path: mean, constants.std.path: std}
    if isinstance(norm, operations.Bias):
        values[norm.bias.path] = _array(norm.bias) - shift
    elif norm is not None:
        values[norm.moving_mean.path] = _array(norm.moving_mean) + shift
    targets = {variable.path: variable for variable in grey.variables}
    differences = [
        path
        for path in sorted(targets.keys() | values.keys())
        if path not in targets
        or path not in values
        or tuple(targets[path].shape) != values[path].shape
    ]
    require(
        not differences,
        "grey_from_rgb needs one network, built for one and for three "
        f"channels. They differ in {', '.join(differences[:5])}.",
    )
    for path, variable in targets.items():
        variable.assign(values[path])


def _first_convolution(model):
    """The stem's first convolution and the BN, or bias, after it, or None."""
    with_weights = [
        layer
        for layer in operations.leaves([model.get_layer("stem")])
        if getattr(layer, "weights", ())
    ]
    conv, *following = with_weights
    norms = (keras.layers.BatchNormalization, operations.Bias)
    if following and isinstance(following[0], norms):
        return conv, following[0]
    return conv, None


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
