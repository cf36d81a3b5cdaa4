"""A row of `specs.VARIANTS` made into a functional Keras model.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import dataclasses

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import dilated
from keras_resnet.networks import initializers
from keras_resnet.networks import specs
from keras_resnet.networks import stochastic_depth as stochastic_depth_lib
from keras_resnet.networks.heads import is_positive_int
from keras_resnet.networks.layers import Chain
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import PixelNormalization
from keras_resnet.networks.outputs import ResNet

# Dtypes that networks are tested with; Keras accepts others and fails later.
_DTYPES = (
    "float32",
    "mixed_bfloat16",
    "mixed_float16",
    "bfloat16",
    "float16",
    "float64",
)

# From this many units in a stage, tracing one as a function and calling it is
# faster than tracing each.
_SHARED_UNITS = 9


def assemble(
    row,
    *,
    input_shape,
    mean,
    std,
    head,
    name,
    policy,
    remat,
    output_stride=None,
    zero_gamma=False,
    stochastic_depth=0.0,
):
    """Makes the network of a row, with random weights.

    Args:
        row: `specs.Variant`.
        input_shape: (H, W, C); H and W may be None.
        mean: C floats, an image (H, W, C), or None for the stem's own.
        std: C floats, or None for the stem's own.
        head: `heads.Head`.
        name: of the model.
        policy: dtype policy; None is Keras' own.
        remat: whether units are recomputed for the gradient.
        output_stride: int, of the last map, or None for the row's own.
        zero_gamma, stochastic_depth: as for `keras_resnet.build`.

    Returns:
        `ResNet`.
    """
    stem, policy = resolve("stem", row.stem), _policy(policy)
    specs.check_branches(
        resolve("placement", row.placement),
        resolve("shortcut", row.shortcut),
        zero_gamma=zero_gamma,
        stochastic_depth=stochastic_depth,
    )
    depth = stochastic_depth_lib.rates(sum(row.depths), stochastic_depth)
    # Not below float32: a softmax in half precision loses small probabilities.
    full = "float64" if policy.compute_dtype == "float64" else "float32"
    image = keras.Input(input_shape, name="image", dtype=full)
    x = _normalization(input_shape, mean, std, stem, full)(image)
    with initializers.drawing_ahead():
        x = _body(x, row, stem, policy, remat, output_stride, depth)
    model = ResNet(image, head(x, policy, full), name=name)
    for layer in model.layers if zero_gamma else ():
        if isinstance(layer, ResidualUnit):
            gamma = layer.branch[-1].gamma
            gamma.assign(keras.ops.zeros_like(gamma))
    return model


def _policy(dtype):
    """A dtype policy from its name or itself; for None, Keras' own."""
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


def resolve(kind, value):
    """A row of a table by its name, or a row that the caller made."""
    table = specs.TABLES[kind]
    if isinstance(value, type(next(iter(table.values())))):
        return value
    return lookup(table, value, kind)


def _body(x, row, stem, policy, remat, output_stride, depth):
    """Stem, stages and the `before` that the next unit would have applied."""
    block, placement, shortcut = (
        resolve(kind, getattr(row, kind))
        for kind in ("block", "placement", "shortcut")
    )
    first = Chain(stem.ops, stem.convolutions, name="stem", dtype=policy)
    x = first(x)
    reached = dilated.strides_of(first)
    known = [reached * 2**stage for stage in range(len(row.depths))]
    plan = dilated.Strides(reached, output_stride, known)
    depth = iter(depth)
    unit_placement = placement
    if "relu" in stem.ops:
        # P2 appendix: the stem has activated the first unit's input already.
        unit_placement = dataclasses.replace(placement, before=())
    for stage, (units, filters) in enumerate(
        zip(row.strides, row.filters, strict=True), start=1
    ):
        for unit, strides in enumerate(units, start=1):
            x = ResidualUnit(
                filters,
                **plan.take(strides),
                agrees=unit > 1
                or (strides == 1 and x.shape[-1] == filters * block.expansion),
                block=block,
                placement=unit_placement,
                shortcut=shortcut,
                stochastic_depth=next(depth),
                remat=remat,
                shared=len(units) >= _SHARED_UNITS,
                name=f"stage{stage}_unit{unit}",
                dtype=policy,
            )(x)
            unit_placement = placement
    if placement.before:
        x = Chain(placement.before, name="final", dtype=policy)(x)
    return x


def _normalization(input_shape, mean, std, stem, dtype):
    mean_image, mean = _mean_image(mean, input_shape)
    layer = PixelNormalization(
        **_pixel_constants(mean, std, stem, input_shape[-1]),
        mean_size=None if mean_image is None else input_shape[:2],
        name="pixels",
        dtype=dtype,
    )
    if mean_image is not None:
        layer.build((None, *input_shape))
        layer.mean.assign(mean_image)
    return layer


def _is_sequence(value):
    return isinstance(value, (tuple, list))


def check_input_shape(input_shape, stem):
    if input_shape is None:
        return (stem.image_size, stem.image_size, 3)
    shape = tuple(input_shape) if _is_sequence(input_shape) else ()
    require(
        len(shape) == 3
        and all(n is None or is_positive_int(n) for n in shape)
        and shape[2] is not None,
        "input_shape must be (height, width, channels), where height and "
        f"width may be None. Received: input_shape={input_shape!r}.",
    )
    return shape


def _mean_image(mean, input_shape):
    """(image, its mean colour), or (None, `mean`) if `mean` is not an image."""
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
