"""Faster execution of networks in training, where a backend offers it.

Nothing here changes what is computed, only its speed and memory. TensorFlow is
imported only if Keras runs on it.
"""

import contextlib
import math

import keras
import numpy as np

from keras_resnet.errors import require

# Bytes, for the widest vector instructions; TensorFlow ends the process if
# memory that it shares is aligned to less.
_ALIGNMENT = 64

_TRAINED = ("kernel", "bias", "gamma", "beta")


def _is_tensorflow():
    return keras.config.backend() == "tensorflow"


def require_tensorflow(what):
    """Raises `UsageError` unless Keras runs on TensorFlow, which `what` needs.

    Args:
        what: str, a noun in the singular, as "An export".
    """
    require(
        _is_tensorflow(),
        f"{what} needs Keras on TensorFlow: set KERAS_BACKEND=tensorflow. A "
        ".keras file that another backend wrote can be read there. Received: "
        f"the backend {keras.config.backend()!r}.",
    )


def has_fused_batch_norm(x):
    """Whether one kernel of the backend normalises x, a batch of images."""
    return _is_tensorflow() and len(x.shape) == 4 and x.dtype != "float64"


def fused_batch_norm(x, gamma, beta, epsilon):
    """A batch normalised by its own statistics, in one kernel.

    Keras' own composition of a dozen operations reads and writes the
    activations of a network about twice as often.

    Args:
        x: (B, H, W, C), float32, bfloat16 or float16.
        gamma, beta: (C,), of x's dtype or float32.
        epsilon: float.

    Returns:
        (y, mean, variance): y like x, the others float32 (C,). The variance is
        divided by B * H * W, as Keras keeps it.
    """
    import tensorflow as tf

    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=tf.cast(gamma, tf.float32),
        offset=tf.cast(beta, tf.float32),
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    shape = x.shape[:3]
    if None in shape:
        shape = tf.unstack(tf.cast(tf.shape(x)[:3], tf.float32))
    count = math.prod(shape)
    # The kernel divides by one less.
    return y, mean, variance * ((count - 1) / count)


def has_grouped_convolution():
    """Whether the backend has an operation for it that Keras does not use."""
    return _is_tensorflow()


def grouped_convolution(x, kernel, strides, padding, dilation):
    """A grouped convolution in one operation; CPUs may lack its gradient.

    Args:
        x: (B, H, W, C).
        kernel: variable (height, width, C / groups, filters).
        strides, dilation: (int, int).
        padding: "same" or "valid".
    """
    import tensorflow as tf

    kernel, padding = tf.convert_to_tensor(kernel), padding.upper()
    return tf.nn.conv2d(x, kernel, strides, padding, dilations=dilation)


def has_fused_momentum():
    """Whether one kernel of the backend updates a variable and its momentum."""
    return _is_tensorflow()


def fused_momentum(variable, buffer, gradient, rate, momentum, nesterov):
    """The update of `keras.optimizers.SGD`, in one kernel.

    A variable takes 4 graph operations instead of 13. In very deep networks
    such operations are most of what TensorFlow has to make and to schedule.

    Args:
        variable, buffer: `tf.Variable` of one shape.
        gradient: like them.
        rate: scalar of their dtype.
        momentum: float.
        nesterov: bool.
    """
    import tensorflow as tf

    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=buffer.handle,
        lr=tf.cast(rate, variable.dtype),
        grad=tf.cast(gradient, variable.dtype),
        momentum=tf.cast(momentum, variable.dtype),
        use_nesterov=nesterov,
    )


def empty(count):
    """float32 (count,) NumPy memory that `tensor` need not copy."""
    memory = np.empty(4 * count + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + 4 * count].view(np.float32)


def tensor(values):
    """A tensor of values from `empty`; do not change the values afterwards.

    TensorFlow copies any other array twice. For the weights of a large network
    that takes as long as drawing them.
    """
    if not _is_tensorflow():
        return values
    import tensorflow as tf

    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())


def common_name():
    """A shared name scope, in which units' variables are made faster.

    TensorFlow compiles the operation that makes a variable once for each name
    and shape; Keras tells variables apart by their own paths.
    """
    if not _is_tensorflow():
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.name_scope("unit/")


def call_unit(unit, x):
    """`unit.compute(x, training=True)`, traced once or rematerialised.

    With `unit.shared` TensorFlow traces units that differ only in their weights
    once, as a function of the weights: a graph of 600 units is made in seconds,
    not minutes. With `unit.remat` the unit keeps only its input and is
    recomputed for the gradient (Chen et al. 2016, arXiv 1604.06174).
    `keras.RematScope` would also update BN's moving statistics again.

    Args:
        unit: `layers.ResidualUnit`.
        x: (B, H, W, C).
    """
    shares = unit.shared and _is_tracing()
    if not (shares or unit.remat):
        return unit.compute(x, training=True)
    state = [v for v in unit.variables if v.name not in _TRAINED]
    function = _shared(unit, state) if shares else _pure(unit, state)
    if unit.remat:
        function = keras.remat(function)
    # Draw here: each unit has its own draw, and the gradient reuses it.
    kept = unit.draw(x)
    kept = () if kept is None else (kept,)
    y, values = function(x, [_tensor(v) for v in unit.variables], *kept)
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    return y


def _tensor(variable):
    if not _is_tensorflow():
        return variable.value
    import tensorflow as tf

    # A function would take only the first copy of a mirrored variable.
    return tf.convert_to_tensor(variable.value)


def _is_tracing():
    if not _is_tensorflow():
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def _pure(unit, state):
    """(x, values of all variables, draws) -> (y, new values of the state)."""

    def pure(x, values, kept=None):
        mapping = zip(unit.variables, values, strict=True)
        with keras.StatelessScope(mapping) as scope:
            y = unit.compute(x, training=True, kept=kept)
        return y, [scope.get_current_value(v) for v in state]

    return pure


def _shared(unit, state):
    """`_pure` of the first unit of this kind in the graph being traced."""
    import tensorflow as tf

    # A collection lives as long as its graph.
    found = tf.compat.v1.get_collection_ref("keras_resnet_units")
    kind = {**unit.get_config(), "name": None}
    kind["stochastic_depth"] = unit.stochastic_depth > 0
    kind["variables"] = [(v.shape, v.trainable) for v in unit.variables]
    for known, function in found:
        if known == kind:
            return function
    function = tf.function(
        _pure(unit, state),
        autograph=False,
        # Inlining the function at each call would undo the sharing.
        experimental_attributes={"_noinline": True},
    )
    found.append((kind, function))
    return function
