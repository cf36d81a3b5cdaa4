"""Networks: a row of `specs.VARIANTS` made into a functional Keras model.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import dataclasses
import inspect
import numbers

import keras
import numpy as np

from keras_resnet import initializers
from keras_resnet import pretrained
from keras_resnet import specs
from keras_resnet import transfer
from keras_resnet import weights as weights_lib
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.layers import Chain
from keras_resnet.layers import ResidualUnit
from keras_resnet.operations import LAYOUT
from keras_resnet.operations import PixelNormalization
from keras_resnet.operations import output_shape

_TABLES = {
    "stem": specs.STEMS,
    "block": specs.BLOCKS,
    "placement": specs.PLACEMENTS,
    "shortcut": specs.SHORTCUTS,
}


# Those that networks are tested with; others Keras takes and fails later.
_DTYPES = (
    "float32",
    "mixed_bfloat16",
    "mixed_float16",
    "bfloat16",
    "float16",
    "float64",
)

# Units of a stage from which tracing one of them as a function, and calling
# it, takes less time than tracing each.
_SHARED_DEPTH = 9


def build(
    variant,
    *,
    weights=None,
    include_top=True,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name=None,
    dtype=None,
    pixel_mean=None,
    pixel_std=None,
    remat=False,
    **choices,
):
    """Builds any published network, or a change of one.

    The network takes RGB pixels 0..255, uint8 or float, and normalises them
    itself. It is fully convolutional: any input size works, weights do not
    depend on it.

    References: P1 Table 1 and sec. 4.2; P2 Fig. 4 and appendix.

    Args:
        variant: key of `keras_resnet.VARIANTS`.
        weights: None for random initialisation, the tag of published weights
            ("imagenet", "torchvision:IMAGENET1K_V2", ...; see
            `keras_resnet.list_weights`), or the path of a file of the same
            network, whoever wrote it (`keras_resnet.load_weights`).
        include_top: whether the network ends in its K-way classifier.
        input_shape: (H, W, C); H and W may be None for images of any size.
            Default: the size that the variant was published for. With C = 1
            published weights are taken over as `grey_from_rgb` does; for
            those of a file, build for 3 channels and call it.
        pooling: without the top, None (feature maps), "avg" or "max".
        classes: K, an int >= 1. Default: as published. If it is given and
            the file in `weights` has another number, the classifier stays
            random and a warning says so.
        classifier_activation: "softmax", or None for logits.
        name: of the model. Default: `variant`.
        dtype: dtype policy: "float32", "mixed_bfloat16", "mixed_float16",
            "bfloat16", "float16" or "float64". Default: Keras' global one.
            Pixels are taken and normalised, and logits and probabilities
            computed, in float32 at least.
        pixel_mean, pixel_std: C floats, 0..255. Default: those of the
            published weights, otherwise ImageNet's or CIFAR's, by the variant.
            `pixel_mean` may be an image, an array (H, W, C), for a network of
            that one size (P1 sec. 3.4, 4.2).
        remat: whether units are computed again for the gradient, so that
            training keeps their inputs only: a third more time, and the
            memory of very deep networks on one device.
        **choices: other fields of the row: `shortcut="A"`,
            `placement="full_preact"`, `block=...`, `depths=...`,
            `filters=...`. For `block`, `placement` and `shortcut` also a row
            that is not in the tables, such as
            `dataclasses.replace(specs.SHORTCUTS["exclusive_gating"],
            gate_bias=-7.0)`.

    Returns:
        `keras.Model` from (B, H, W, C) pixels to float32 (B, K) probabilities,
        its layers `pixels, stem, stage1_unit1, ..., final, pool, logits,
        probabilities`.

    Raises:
        keras_resnet.UsageError: if a name is unknown or a value cannot work.

    Example:

    >>> model = build("resnet110", classes=10, shortcut="B")
    """
    row = _row(variant, choices)
    stem = _resolve("stem", row.stem)
    input_shape = _check_input_shape(input_shape, stem)
    path, published = None, None
    if weights is not None:
        path, published = pretrained.locate(variant, weights)
    if published is not None:
        pixel_mean = published.pixel_mean if pixel_mean is None else pixel_mean
        pixel_std = published.pixel_std if pixel_std is None else pixel_std
    mean_image, pixel_mean = _mean_image(pixel_mean, input_shape)
    constants = _pixel_constants(pixel_mean, pixel_std, stem, input_shape[-1])
    new_head = classes is not None
    classes = stem.classes if classes is None else classes
    _check_head(include_top, pooling, classes, classifier_activation)
    policy = _policy(dtype)
    # Not below float32: a softmax in half precision loses small probabilities.
    full = "float64" if policy.compute_dtype == "float64" else "float32"

    image = keras.Input(input_shape, name="image", dtype=full)
    pixels = PixelNormalization(
        **constants,
        mean_size=None if mean_image is None else input_shape[:2],
        name="pixels",
        dtype=full,
    )
    x = pixels(image)
    if mean_image is not None:
        pixels.mean.assign(mean_image)
    with initializers.drawing_ahead():
        x = _body(x, row, stem, policy, remat)
    if include_top:
        x = _pool("avg", policy)(x)
        x = _classifier(x, classes, classifier_activation, full)
    elif pooling:
        x = _pool(pooling, policy)(x)
    model = keras.Model(image, x, name=name or variant)
    if published is not None and input_shape[-1] == 1:
        _load_grey(model, row, published, path, new_head)
    elif path is not None:
        weights_lib.load_weights(model, path, new_head=new_head)
    return model


def _load_grey(model, row, published, path, new_head):
    """Published weights, all of them for RGB, into a network of one channel."""
    names = [layer.name for layer in model.layers]
    rgb = build(
        published.variant,
        include_top="logits" in names,
        input_shape=(*model.input_shape[1:3], 3),
        pooling="avg" if "pool" in names else None,
        classes=model.output_shape[-1] if "logits" in names else None,
        pixel_mean=published.pixel_mean,
        pixel_std=published.pixel_std,
        **{
            field.name: getattr(row, field.name)
            for field in dataclasses.fields(row)
            if field.name != "reference"
        },
    )
    weights_lib.load_weights(rgb, path, new_head=new_head)
    transfer.grey_from_rgb(model, rgb)


_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def _pool(kind, policy):
    return _POOLING[kind](name="pool", dtype=policy, **LAYOUT)


def _policy(dtype):
    """The dtype policy of a name, of a policy, or Keras' own for None."""
    dtype = keras.config.dtype_policy() if dtype is None else dtype
    name = getattr(dtype, "name", dtype)
    lookup(dict.fromkeys(_DTYPES), name, "dtype policy")
    policy = keras.dtype_policies.get(dtype)
    got = keras.backend.standardize_dtype(
        keras.ops.zeros((), policy.compute_dtype).dtype
    )
    require(
        got == policy.compute_dtype,
        f"{keras.config.backend()} computes in {got} where {name} is asked "
        "for. JAX has float64 after jax.config.update('jax_enable_x64', True).",
    )
    return policy


def _row(variant, choices):
    row = lookup(specs.VARIANTS, variant, "variant")
    fields = {field.name for field in dataclasses.fields(row)} - {"reference"}
    arguments = sorted(fields | set(inspect.signature(build).parameters))
    for choice in choices:
        lookup(dict.fromkeys(arguments), choice, "argument of build()")
    row = dataclasses.replace(row, **choices)
    require(
        len(row.depths) == len(row.filters),
        "depths and filters must have a value for each stage. Received: "
        f"depths={row.depths}, filters={row.filters}.",
    )
    return row


def _resolve(kind, value):
    """A row of a table by its name, or a row that the caller made."""
    table = _TABLES[kind]
    if isinstance(value, type(next(iter(table.values())))):
        return value
    return lookup(table, value, kind)


def _body(x, row, stem, policy, remat):
    """Stem, stages and what the next unit would have applied first."""
    block, placement, shortcut = (
        _resolve(kind, getattr(row, kind))
        for kind in ("block", "placement", "shortcut")
    )
    x = Chain(
        stem.ops,
        [(stem.filters, stem.kernel, stem.strides)],
        name="stem",
        dtype=policy,
    )(x)
    unit_placement = placement
    if "relu" in stem.ops:
        # P2 appendix: the stem has activated the first unit's input already.
        unit_placement = dataclasses.replace(placement, before=())
    for stage, (depth, filters) in enumerate(
        zip(row.depths, row.filters, strict=True), start=1
    ):
        for unit in range(1, depth + 1):
            strides = 2 if stage > 1 and unit == 1 else 1
            x = ResidualUnit(
                filters,
                strides=strides,
                agrees=strides == 1
                and x.shape[-1] == filters * block.expansion,
                block=block,
                placement=unit_placement,
                shortcut=shortcut,
                remat=remat,
                shared=depth >= _SHARED_DEPTH,
                name=f"stage{stage}_unit{unit}",
                dtype=policy,
            )(x)
            unit_placement = placement
    if placement.before:
        x = Chain(placement.before, name="final", dtype=policy)(x)
    return x


def _classifier(x, classes, activation, dtype):
    # P1 does not say; fb.resnet.torch keeps Torch's U(+-1 / sqrt(inputs)).
    uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    x = keras.layers.Dense(
        classes, kernel_initializer=uniform, name="logits", dtype=dtype
    )(x)
    if activation is None:
        return x
    return keras.layers.Activation(
        activation, name="probabilities", dtype=dtype
    )(x)


def logits(model):
    """The same network, sharing its weights, up to the logits.

    Losses and comparisons read logits: float32 (B, K).
    """
    names = [layer.name for layer in model.layers]
    require(
        "logits" in names,
        "logits() needs a model from keras_resnet.build with its top. "
        f"Received: {model.name!r}, which ends in {names[-1]!r}.",
    )
    return keras.Model(
        model.input, model.get_layer("logits").output, name=model.name
    )


def features(model):
    """The feature maps at the end of each stage, for detectors and Grad-CAM.

    Args:
        model: a model from `build`; its layers and weights are shared.

    Returns:
        `keras.Model` from pixels to a dict: "C2" ... "C5" at strides 4, 8, 16
        and 32 for an ImageNet network, "C2" ... "C4" at strides 1, 2 and 4 for
        a CIFAR one. Each is (B, H / stride, W / stride, C).
    """
    last = {}
    for layer in model.layers:
        if isinstance(layer, ResidualUnit):
            stage = layer.name.split("_")[0]
            last[f"C{int(stage.removeprefix('stage')) + 1}"] = layer.output
    require(
        last,
        "features() needs a model from keras_resnet.build, with layers "
        f"'stage1_unit1' and so on. Received: {model.name!r}.",
    )
    return keras.Model(model.input, last, name=f"{model.name}_features")


def multiply_adds(model, image_size=None):
    """Multiply-adds of one image: convolutions and the classifier (P1 Table 1).

    Args:
        model: a model from `build`.
        image_size: pixels of a square image. Default: the model's own.

    Returns:
        int.
    """
    _, height, width, channels = model.input_shape
    if image_size is not None:
        height = width = image_size
    require(
        height and width,
        f"{model.name!r} takes images of any size: pass image_size.",
    )
    shape, total = (1, height, width, channels), 0
    for layer in model.layers[1:]:
        total += _multiply_adds(layer, shape)
        shape = layer.compute_output_shape(shape)
    return total


def _multiply_adds(layer, shape):
    if isinstance(layer, ResidualUnit):
        shared = output_shape(layer.before, shape)
        return sum(
            _chain_multiply_adds(layers, shared)
            for layers in (layer.branch, layer.shortcut_layers, layer.gate)
        )
    if isinstance(layer, Chain):
        return _chain_multiply_adds(layer.layers, shape)
    if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        return 0
    _, *positions, _ = layer.compute_output_shape(shape)
    total = 1
    for n in (*positions, *layer.kernel.shape):
        total *= n
    return total


def _chain_multiply_adds(layers, shape):
    total = 0
    for layer in layers:
        total += _multiply_adds(layer, shape)
        shape = layer.compute_output_shape(shape)
    return total


def _is_sequence(value):
    return isinstance(value, (tuple, list))


def _is_positive_int(value):
    # NumPy's integers count, True does not.
    integral = isinstance(value, numbers.Integral)
    return integral and not isinstance(value, bool) and value > 0


def _check_input_shape(input_shape, stem):
    if input_shape is None:
        return (stem.image_size, stem.image_size, 3)
    shape = tuple(input_shape) if _is_sequence(input_shape) else ()
    require(
        len(shape) == 3
        and all(n is None or _is_positive_int(n) for n in shape)
        and shape[2] is not None,
        "input_shape must be (height, width, channels), where height and "
        f"width may be None. Received: input_shape={input_shape!r}.",
    )
    return shape


def _mean_image(mean, input_shape):
    """(image or None, its colour or `mean` as it is)."""
    if np.ndim(mean) != 3:
        return None, mean
    image = np.asarray(mean, "float64")
    require(
        image.shape == input_shape and np.isfinite(image).all(),
        "pixel_mean as an image must be finite and of the network's "
        "input_shape, whose height and width cannot be None. Received: "
        f"pixel_mean of shape {image.shape}, input_shape={input_shape}.",
    )
    return image, tuple(image.mean(axis=(0, 1)).tolist())


def _pixel_constants(mean, std, stem, channels):
    constants = {
        "mean": stem.pixel_mean if mean is None else tuple(mean),
        "std": stem.pixel_std if std is None else tuple(std),
    }
    for name, values in constants.items():
        if channels == 1 and len(values) == 3:
            # Grey is the mean of the three channels.
            values = constants[name] = (sum(values) / 3,)
        require(
            len(values) == channels,
            f"pixel_{name} needs one value for each of {channels} channels. "
            f"Received: {values}.",
        )
    require(all(v > 0 for v in constants["std"]), "pixel_std must be > 0.")
    return constants


def _check_head(include_top, pooling, classes, activation):
    require(
        pooling is None or pooling in _POOLING,
        f"pooling must be None, 'avg' or 'max'. Received: {pooling!r}.",
    )
    require(
        _is_positive_int(classes),
        f"classes must be an int >= 1. Received: classes={classes!r}.",
    )
    require(
        not include_top or activation in ("softmax", None),
        "classifier_activation must be 'softmax', or None for logits. "
        f"Received: {activation!r}.",
    )
