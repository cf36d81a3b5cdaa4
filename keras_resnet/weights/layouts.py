"""How other libraries name and store the weights of our networks.

One table serves both directions: it gives, for each of our layers, theirs.

References: torchvision, models/resnet.py; timm, resnetv2.py; transformers,
modeling_resnet.py; Keras, applications/resnet.py; KerasHub,
resnet_backbone.py. They store other things
differently: PyTorch has kernels (O, I, H, W) and keras.applications biases.
"""

import dataclasses
import re

import numpy as np

from keras_resnet.networks.operations import BATCH_NORM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """One library's way with weights.

    In names, s is the stage, u the unit and i the number of the op; s0, u0
    and i0 count from zero and s1 the stage from two.
    """

    origin: str
    signature: str  # a tensor by which it is known, all of its files have it
    layers: dict[str, str]  # ours to theirs
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    separator: str = "/"
    unit: str = ""  # expression for the stage and unit in their names
    counts_from: tuple[int, int] = (0, 0)  # their first stage and unit
    third: str = ""  # in the names of a bottleneck's third convolution
    bottleneck: str = "bottleneck_v1_5"
    placement: str = "original"
    stem: str = "imagenet"
    torch: bool = False  # kernels (O, I, H, W), num_batches_tracked
    head_is_conv: bool = False  # logits' kernel (K, C, 1, 1)
    biases: bool = False  # before BN, whose epsilon is `epsilon`; BGR input
    epsilon: float = BATCH_NORM["epsilon"]
    pixels: dict[str, tuple[float, ...]] = dataclasses.field(
        default_factory=dict
    )


_TORCH = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_KERAS_HUB = {
    "stem/conv1": "conv1_conv",
    "unit/conv": "stack{s0}_block{u0}_{i}_conv",
    "unit/shortcut_conv": "stack{s0}_block{u0}_0_conv",
    "logits": "predictions",
}
_TRANSFORMERS = "resnet.encoder.stages.{s0}.layers.{u0}"

LAYOUTS = {
    "keras_resnet": Layout(
        origin="keras_resnet", signature="stem/conv1/kernel", layers={}
    ),
    "torchvision": Layout(
        origin="torchvision",
        signature="layer1.0.conv1.weight",
        layers={
            "stem/conv1": "conv1",
            "stem/bn1": "bn1",
            "unit/conv": "layer{s}.{u0}.conv{i}",
            "unit/bn": "layer{s}.{u0}.bn{i}",
            "unit/shortcut_conv": "layer{s}.{u0}.downsample.0",
            "unit/shortcut_bn": "layer{s}.{u0}.downsample.1",
            "logits": "fc",
        },
        variables=_TORCH,
        separator=".",
        unit=r"layer(\d+)\.(\d+)\.",
        counts_from=(1, 0),
        third=".conv3.",
        torch=True,
    ),
    "transformers": Layout(
        origin="transformers",
        signature="resnet.embedder.embedder.convolution.weight",
        layers={
            "stem/conv1": "resnet.embedder.embedder.convolution",
            "stem/bn1": "resnet.embedder.embedder.normalization",
            "unit/conv": f"{_TRANSFORMERS}.layer.{{i0}}.convolution",
            "unit/bn": f"{_TRANSFORMERS}.layer.{{i0}}.normalization",
            "unit/shortcut_conv": f"{_TRANSFORMERS}.shortcut.convolution",
            "unit/shortcut_bn": f"{_TRANSFORMERS}.shortcut.normalization",
            "logits": "classifier.1",
        },
        variables=_TORCH,
        separator=".",
        unit=r"resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.",
        third=".layer.2.",
        torch=True,
    ),
    "timm_resnetv2": Layout(
        origin="timm resnetv2",
        signature="stages.0.blocks.0.conv1.weight",
        layers={
            "stem/conv1": "stem.conv",
            "unit/conv": "stages.{s0}.blocks.{u0}.conv{i}",
            "unit/bn": "stages.{s0}.blocks.{u0}.norm{i}",
            "unit/shortcut_conv": "stages.{s0}.blocks.{u0}.downsample.conv",
            "final/bn1": "norm",
            "logits": "head.fc",
        },
        variables=_TORCH,
        separator=".",
        unit=r"stages\.(\d+)\.blocks\.(\d+)\.",
        third=".conv3.",
        placement="full_preact",
        stem="imagenet_timm_preact",
        torch=True,
        head_is_conv=True,
    ),
    "keras_applications": Layout(
        origin="keras.applications",
        signature="conv2_block1_1_conv/kernel",
        layers={
            "stem/conv1": "conv1_conv",
            "stem/bn1": "conv1_bn",
            "unit/conv": "conv{s1}_block{u}_{i}_conv",
            "unit/bn": "conv{s1}_block{u}_{i}_bn",
            "unit/shortcut_conv": "conv{s1}_block{u}_0_conv",
            "unit/shortcut_bn": "conv{s1}_block{u}_0_bn",
            "logits": "predictions",
        },
        unit=r"conv(\d+)_block(\d+)_",
        counts_from=(2, 1),
        third="_3_conv",
        bottleneck="bottleneck",
        biases=True,
        epsilon=1.001e-5,
        # Its preprocess_input, mode "caffe", in RGB.
        pixels={"mean": (123.68, 116.779, 103.939), "std": (1.0, 1.0, 1.0)},
    ),
    "keras_hub": Layout(
        origin="KerasHub",
        signature="stack0_block0_1_bn/gamma",
        layers={
            **_KERAS_HUB,
            "stem/bn1": "conv1_bn",
            "unit/bn": "stack{s0}_block{u0}_{i}_bn",
            "unit/shortcut_bn": "stack{s0}_block{u0}_0_bn",
        },
        unit=r"stack(\d+)_block(\d+)_",
        third="_3_conv",
    ),
    "keras_hub_v2": Layout(
        origin="KerasHub V2",
        signature="stack0_block0_pre_activation_bn/gamma",
        layers={
            **_KERAS_HUB,
            "unit/bn1": "stack{s0}_block{u0}_pre_activation_bn",
            "unit/bn": "stack{s0}_block{u0}_{i0}_bn",
            "final/bn1": "post_bn",
        },
        unit=r"stack(\d+)_block(\d+)_",
        third="_3_conv",
        placement="full_preact",
        stem="imagenet_timm_preact",
    ),
}

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
    """Name of the bias that the BN of our `path` takes in, or None."""
    if not layout.biases or not path.endswith("/moving_mean"):
        return None
    return their_name(layout, path).replace("_bn/moving_mean", "_conv/bias")


def our_shape(layout, path, shape):
    """The shape of `ours_from_theirs` of an array of theirs."""
    if layout.torch and path == "logits/kernel":
        if len(shape) == 4 and shape[2:] == (1, 1):
            shape = shape[:2]
        return shape[::-1]
    if layout.torch and len(shape) == 4:
        return tuple(shape[axis] for axis in (2, 3, 1, 0))
    return shape


def ours_from_theirs(layout, path, array, bias=None):
    """Their array as the value of our variable `path`.

    A bias b before BN is a mean that is smaller by b, and an epsilon that is
    larger by d a variance that is larger by d: both exact at inference.
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
