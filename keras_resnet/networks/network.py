"""A row of `specs.VARIANTS` made into a functional Keras model.

Shapes: B batch, H height, W width, C channels, K classes.
"""

import dataclasses
import numbers

import keras
import numpy as np

from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.networks import initializers
from keras_resnet.networks import specs
from keras_resnet.networks.layers import Chain
from keras_resnet.networks.layers import ResidualUnit
from keras_resnet.networks.operations import LAYOUT
from keras_resnet.networks.operations import PixelNormalization
from keras_resnet.networks.outputs import ResNet

# Those that networks are tested with; others Keras takes and fails later.
_DTYPES = (
    "float32",
    "mixed_bfloat16",
    "mixed_float16",
    "bfloat16",
    "float16",
    "float64",
)

_ACTIVATIONS = ("softmax", "sigmoid", None)

# Units of a stage from which tracing one of them as a function, and calling
# it, takes less time than tracing each.
_SHARED_UNITS = 9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """What follows the last unit; the arguments of `build`."""

    include_top: bool
    pooling: str | None
    classes: int
    activation: str | None

    def __post_init__(self):
        require(
            self.pooling is None or self.pooling in _POOLING,
            "pooling must be None, 'avg' or 'max'. "
            f"Received: {self.pooling!r}.",
        )
        require(
            _is_positive_int(self.classes),
            f"classes must be an int >= 1. Received: classes={self.classes!r}.",
        )
        require(
            not self.include_top or self.activation in _ACTIVATIONS,
            "classifier_activation must be 'softmax', 'sigmoid' for labels "
            "that do not exclude each other, or None for logits. "
            f"Received: {self.activation!r}.",
        )

    def __call__(self, x, policy, full):
        """The outputs for the maps `x` (B, H, W, C)."""
        if self.include_top:
            return self._classify(_pool("avg", policy)(x), full)
        return _pool(self.pooling, policy)(x) if self.pooling else x

    def _classify(self, x, dtype):
        # P1 does not say; fb.resnet.torch keeps Torch's U(+-1 / sqrt(inputs)).
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        x = keras.layers.Dense(
            self.classes, kernel_initializer=uniform, name="logits", dtype=dtype
        )(x)
        if self.activation is None:
            return x
        return keras.layers.Activation(
            self.activation, name="probabilities", dtype=dtype
        )(x)


def assemble(row, *, input_shape, mean, std, head, name, policy, remat):
    """Makes the network of a row, with random weights.

    Args:
        row: `specs.Variant`.
        input_shape: (H, W, C); H and W may be None.
        mean: C floats, an image (H, W, C), or None for the stem's own.
        std: C floats, or None for the stem's own.
        head: `Head`.
        name: of the model.
        policy: dtype policy; None is Keras' own.
        remat: whether units are computed again for the gradient.

    Returns:
        `keras.Model`.
    """
    stem, policy = resolve("stem", row.stem), _policy(policy)
    # Not below float32: a softmax in half precision loses small probabilities.
    full = "float64" if policy.compute_dtype == "float64" else "float32"
    image = keras.Input(input_shape, name="image", dtype=full)
    x = _normalization(input_shape, mean, std, stem, full)(image)
    with initializers.drawing_ahead():
        x = _body(x, row, stem, policy, remat)
    return ResNet(image, head(x, policy, full), name=name)


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


def resolve(kind, value):
    """A row of a table by its name, or a row that the caller made."""
    table = specs.TABLES[kind]
    if isinstance(value, type(next(iter(table.values())))):
        return value
    return lookup(table, value, kind)


def _body(x, row, stem, policy, remat):
    """Stem, stages and what the next unit would have applied first."""
    block, placement, shortcut = (
        resolve(kind, getattr(row, kind))
        for kind in ("block", "placement", "shortcut")
    )
    x = Chain(
        stem.ops,
        stem.convolutions,
        name="stem",
        dtype=policy,
    )(x)
    unit_placement = placement
    if "relu" in stem.ops:
        # P2 appendix: the stem has activated the first unit's input already.
        unit_placement = dataclasses.replace(placement, before=())
    for stage, (units, filters) in enumerate(
        zip(row.depths, row.filters, strict=True), start=1
    ):
        for unit in range(1, units + 1):
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
                shared=units >= _SHARED_UNITS,
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


def _is_positive_int(value):
    # NumPy's integers count, True does not.
    integral = isinstance(value, numbers.Integral)
    return integral and not isinstance(value, bool) and value > 0


def check_input_shape(input_shape, stem):
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
