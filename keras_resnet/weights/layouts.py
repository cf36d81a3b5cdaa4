"""How other libraries name and store the weights of our networks.

One table (`layout_rows`) serves both directions: it gives their layer for each
of ours. They also store some things differently: PyTorch has kernels
(O, I, H, W) and keras.applications biases.
"""

import re

import numpy as np

from keras_resnet.networks.operations import BATCH_NORM
from keras_resnet.weights.layout_rows import LAYOUTS

_UNIT = re.compile(r"stage(\d+)_unit(\d+)/([a-z_]+)(\d*)$")


def their_name(layout, path):
    """Their name of one of our variables, or None if they have none.

    Args:
        layout: `Layout`.
        path: of our variable: "stage1_unit1/bn2/gamma", "logits/bias".
    """
    if layout is LAYOUTS["keras_resnet"]:
        return path
    layer, variable = path.rsplit("/", 1)
    their_layer = _their_layer(layout, layer)
    if their_layer is None:
        return None
    variable = layout.variables.get(variable, variable)
    return f"{their_layer}{layout.separator}{variable}"


def _their_layer(layout, layer):
    unit = _UNIT.match(layer)
    if not unit:
        return layout.layers.get(layer)
    stage, number, op, i = unit.groups()
    stage, number, i = int(stage), int(number), int(i or 0)
    template = layout.layers.get(f"unit/{op}{i}") or layout.layers.get(
        f"unit/{op}"
    )
    return template and template.format(
        s=stage,
        s0=stage - 1,
        s1=stage + 1,
        u=number,
        u0=number - 1,
        i=i,
        i0=i - 1,
    )


def bias_name(layout, path):
    """Name of the bias that the BN of our `path` takes over, or None."""
    if not layout.biases or not path.endswith("/moving_mean"):
        return None
    return their_name(layout, path).replace("_bn/moving_mean", "_conv/bias")


def our_shape(layout, path, shape):
    """The shape that `ours_from_theirs` gives to an array of theirs."""
    if layout.torch and path == "logits/kernel":
        if len(shape) == 4 and shape[2:] == (1, 1):
            shape = shape[:2]
        return shape[::-1]
    if layout.torch and len(shape) == 4:
        return tuple(shape[axis] for axis in (2, 3, 1, 0))
    return shape


def ours_from_theirs(layout, path, array, bias=None):
    """Their array as the value of our variable `path`.

    A bias b before BN becomes a mean that is smaller by b. An epsilon that is
    larger by d becomes a variance that is larger by d. Both are exact at
    inference.
    """
    if path == "stem/conv1/kernel" and layout.biases:
        array = array[:, :, ::-1] if array.ndim == 4 else array  # BGR
    if layout.torch and array.ndim == 4 and not path.startswith("logits/"):
        return array.transpose(2, 3, 1, 0)
    if layout.torch and path == "logits/kernel":
        if array.ndim == 4 and array.shape[2:] == (1, 1):
            array = array[:, :, 0, 0]
        return array.T
    if bias is not None and bias.shape == array.shape:
        return array.astype("float64") - bias
    if path.endswith("/moving_variance"):
        shift = layout.epsilon - BATCH_NORM["epsilon"]
        return array.astype("float64") + shift if shift else array
    return array


def theirs_from_ours(layout, path, array):
    """The inverse for the layouts that are written: PyTorch's and ours."""
    if layout.torch and array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif layout.torch and path == "logits/kernel":
        array = array.T
        if layout.head_is_conv:
            array = array[:, :, None, None]
    return np.ascontiguousarray(array)
