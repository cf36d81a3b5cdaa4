"""How other libraries name the weights of our networks: a row for each.

References: torchvision, models/resnet.py; timm, resnet.py and resnetv2.py;
Keras, applications/resnet.py; KerasHub, resnet_backbone.py.
"""

import dataclasses

from keras_resnet.networks.operations import BATCH_NORM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How one library names and stores weights.

    In names, s is the stage, u the unit and i the number of the op; s0, u0
    and i0 count from zero and s1 the stage from two.
    """

    origin: str
    signature: str  # a tensor of all its files, by which they are recognised
    layers: dict[str, str]  # ours to theirs
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    separator: str = "/"
    unit: str = ""  # expression for the stage and unit in their names
    counts_from: tuple[int, int] = (0, 0)  # their first stage and unit
    third: str = ""  # in the names of a bottleneck's third convolution
    bottleneck: str = "bottleneck_v1_5"
    placement: str = "original"
    shortcut: str = "B"
    stem: str = "imagenet"
    strided_unit: int = 0
    torch: bool = False  # kernels (O, I, H, W), num_batches_tracked
    head_is_conv: bool = False  # logits' kernel (K, C, 1, 1)
    biases: bool = False  # before BN; BGR input
    epsilon: float = BATCH_NORM["epsilon"]  # of BN
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
_KERAS_HUB_LAYERS = {
    "stem/conv1": "conv1_conv",
    "unit/conv": "stack{s0}_block{u0}_{i}_conv",
    "unit/shortcut_conv": "stack{s0}_block{u0}_0_conv",
    "logits": "predictions",
}
_TORCHVISION = Layout(
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
)
_KERAS_HUB = Layout(
    origin="KerasHub",
    signature="stack0_block0_1_bn/gamma",
    layers={
        **_KERAS_HUB_LAYERS,
        "stem/bn1": "conv1_bn",
        "unit/bn": "stack{s0}_block{u0}_{i}_bn",
        "unit/shortcut_bn": "stack{s0}_block{u0}_0_bn",
    },
    unit=r"stack(\d+)_block(\d+)_",
    third="_3_conv",
)
_DEEP_STEM = {
    f"stem/{op}{i}": f"conv{i}_{op}" for op in ("conv", "bn") for i in (1, 2, 3)
}

_TRANSFORMERS = "resnet.encoder.stages.{s0}.layers.{u0}"

# A layout whose files have another one's signature too comes after it.
LAYOUTS = {
    "keras_resnet": Layout(
        origin="keras_resnet", signature="stem/conv1/kernel", layers={}
    ),
    "torchvision": _TORCHVISION,
    "timm_resnet_d": dataclasses.replace(
        _TORCHVISION,
        origin="timm ResNet-D",
        signature="conv1.0.weight",
        layers={
            **_TORCHVISION.layers,
            **{f"stem/conv{i + 1}": f"conv1.{3 * i}" for i in range(3)},
            **{f"stem/bn{i + 1}": f"conv1.{3 * i + 1}" for i in range(2)},
            "stem/bn3": "bn1",
            "unit/shortcut_conv": "layer{s}.{u0}.downsample.1",
            "unit/shortcut_bn": "layer{s}.{u0}.downsample.2",
        },
        shortcut="D",
        stem="imagenet_deep",
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
    "keras_applications_v2": Layout(
        origin="keras.applications V2",
        signature="conv2_block1_preact_bn/gamma",
        layers={
            "stem/conv1": "conv1_conv",
            "stem/bias1": "conv1_conv",
            "unit/conv": "conv{s1}_block{u}_{i}_conv",
            "unit/bias1": "conv{s1}_block{u}_3_conv",
            "unit/bn1": "conv{s1}_block{u}_preact_bn",
            "unit/bn": "conv{s1}_block{u}_{i0}_bn",
            "unit/shortcut_conv": "conv{s1}_block{u}_0_conv",
            "unit/shortcut_bias": "conv{s1}_block{u}_0_conv",
            "final/bn1": "post_bn",
            "logits": "predictions",
        },
        unit=r"conv(\d+)_block(\d+)_",
        counts_from=(2, 1),
        third="_3_conv",
        placement="full_preact_bias",
        stem="imagenet_keras_preact",
        strided_unit=-1,
        epsilon=1.001e-5,
        # Its preprocess_input, mode "tf".
        pixels={"mean": (127.5,) * 3, "std": (127.5,) * 3},
    ),
    "keras_hub": _KERAS_HUB,
    "keras_hub_d": dataclasses.replace(
        _KERAS_HUB,
        origin="KerasHub ResNet-D",
        signature="conv2_conv/kernel",
        layers={**_KERAS_HUB.layers, **_DEEP_STEM},
        shortcut="D",
        stem="imagenet_deep",
    ),
    "keras_hub_v2": Layout(
        origin="KerasHub V2",
        signature="stack0_block0_pre_activation_bn/gamma",
        layers={
            **_KERAS_HUB_LAYERS,
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
