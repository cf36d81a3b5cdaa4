"""`ResNet50(...)` and its siblings, a function for each published network."""

from typing import Protocol

import keras

from keras_resnet.models import build
from keras_resnet.networks import specs

_DOC = """{title}, {depth} weighted layers.

    Reference: {reference}.

    Args:
        weights: None for random ones, the tag of published weights
            (`keras_resnet.list_weights({variant!r})`), "hf://OWNER/NAME", or
            the path of a file.
        include_top: whether the network ends in its classifier.
        input_shape: (H, W, C); H and W may be None.
        pooling: without the top, None (feature maps), "avg" or "max".
        classes: number of classes, an int >= 1.
        classifier_activation: "softmax"; "sigmoid" for labels that do not
            exclude each other; or None for logits.
        name: of the model. Default: {variant!r}.
        dtype, pixel_mean, pixel_std, remat, output_stride, zero_gamma,
            stochastic_depth, **choices: as `keras_resnet.build` takes them.

    Returns:
        `keras.Model` from RGB pixels 0..255, uint8 or float
        (B, {size}, {size}, 3), to float32 (B, {classes}) probabilities.

    Raises:
        keras_resnet.UsageError: if a name is unknown or a value cannot work.

    Example:

    >>> model = keras_resnet.{name}(classes=5)
    """


class Constructor(Protocol):
    """A function that builds one network."""

    def __call__(
        self,
        weights: str | None = None,
        include_top: bool = True,
        input_shape: tuple[int | None, int | None, int] | None = None,
        pooling: str | None = None,
        classes: int = ...,
        classifier_activation: str | None = "softmax",
        name: str | None = None,
        *,
        dtype=None,
        pixel_mean=None,
        pixel_std=None,
        remat: bool = False,
        output_stride: int | None = None,
        zero_gamma: bool = False,
        stochastic_depth: float = 0.0,
        **choices,
    ) -> keras.Model:
        """Builds the network: arguments as `keras_resnet.build`."""
        ...


def _constructor(name: str, variant: str) -> Constructor:
    row = specs.VARIANTS[variant]
    stem = specs.STEMS[row.stem]
    size = stem.image_size

    def constructor(
        weights=None,
        include_top=True,
        input_shape=(size, size, 3),
        pooling=None,
        classes=stem.classes,
        classifier_activation="softmax",
        name=None,
        *,
        dtype=None,
        pixel_mean=None,
        pixel_std=None,
        remat=False,
        output_stride=None,
        zero_gamma=False,
        stochastic_depth=0.0,
        **choices,
    ):
        return build(
            variant,
            weights=weights,
            include_top=include_top,
            input_shape=input_shape,
            pooling=pooling,
            # The default asks for no new head: other classes are refused.
            classes=None if classes == stem.classes else classes,
            classifier_activation=classifier_activation,
            name=name,
            dtype=dtype,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
            remat=remat,
            output_stride=output_stride,
            zero_gamma=zero_gamma,
            stochastic_depth=stochastic_depth,
            **choices,
        )

    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = _DOC.format(
        name=name,
        title=_title(name, row),
        variant=variant,
        depth=row.depth,
        reference=row.reference,
        size=size,
        classes=stem.classes,
    )
    return constructor


def _title(name, row):
    """What a network is, in the papers' words."""
    kind = "Plain network" if name.startswith("Plain") else "Residual network"
    data = "CIFAR" if row.stem == "cifar" else "ImageNet"
    words = {
        row.placement == "full_preact": "full pre-activation",
        row.block == "bottleneck_v1_5": "its strides in 3x3 convolutions, as "
        "torchvision's",
        row.block == "wide": "wide 3x3 convolutions",
        row.block.startswith("resnext"): "grouped 3x3 convolutions",
        row.shortcut == "D": "a deep stem and pooled shortcuts",
    }
    more = f" with {words[True]}" if True in words else ""
    return f"{kind} for {data}{more}"


# ImageNet, 2015.
PlainNet18 = _constructor("PlainNet18", "plainnet18")
PlainNet34 = _constructor("PlainNet34", "plainnet34")
ResNet18 = _constructor("ResNet18", "resnet18")
ResNet34 = _constructor("ResNet34", "resnet34")
ResNet50 = _constructor("ResNet50", "resnet50")
ResNet101 = _constructor("ResNet101", "resnet101")
ResNet152 = _constructor("ResNet152", "resnet152")

# The same with the stride in the 3x3 convolution, as in torchvision.
ResNet50V15 = _constructor("ResNet50V15", "resnet50_v1_5")
ResNet101V15 = _constructor("ResNet101V15", "resnet101_v1_5")
ResNet152V15 = _constructor("ResNet152V15", "resnet152_v1_5")

# With a deep stem and pooled shortcuts, as in timm and KerasHub.
ResNet18D = _constructor("ResNet18D", "resnet18_d")
ResNet34D = _constructor("ResNet34D", "resnet34_d")
ResNet50D = _constructor("ResNet50D", "resnet50_d")
ResNet101D = _constructor("ResNet101D", "resnet101_d")
ResNet152D = _constructor("ResNet152D", "resnet152_d")
ResNet200D = _constructor("ResNet200D", "resnet200_d")

# torchvision's wide networks and those with grouped convolutions.
WideResNet50 = _constructor("WideResNet50", "wide_resnet50_2")
WideResNet101 = _constructor("WideResNet101", "wide_resnet101_2")
ResNeXt50 = _constructor("ResNeXt50", "resnext50_32x4d")
ResNeXt101 = _constructor("ResNeXt101", "resnext101_32x8d")

# ImageNet, 2016.
ResNet200 = _constructor("ResNet200", "resnet200")
ResNet18V2 = _constructor("ResNet18V2", "resnet18_v2")
ResNet34V2 = _constructor("ResNet34V2", "resnet34_v2")
ResNet50V2 = _constructor("ResNet50V2", "resnet50_v2")
ResNet101V2 = _constructor("ResNet101V2", "resnet101_v2")
ResNet152V2 = _constructor("ResNet152V2", "resnet152_v2")
ResNet200V2 = _constructor("ResNet200V2", "resnet200_v2")

# CIFAR, 2015.
PlainNet20 = _constructor("PlainNet20", "plainnet20")
PlainNet32 = _constructor("PlainNet32", "plainnet32")
PlainNet44 = _constructor("PlainNet44", "plainnet44")
PlainNet56 = _constructor("PlainNet56", "plainnet56")
PlainNet110 = _constructor("PlainNet110", "plainnet110")
ResNet20 = _constructor("ResNet20", "resnet20")
ResNet32 = _constructor("ResNet32", "resnet32")
ResNet44 = _constructor("ResNet44", "resnet44")
ResNet56 = _constructor("ResNet56", "resnet56")
ResNet110 = _constructor("ResNet110", "resnet110")
ResNet1202 = _constructor("ResNet1202", "resnet1202")

# CIFAR, 2016.
ResNet164 = _constructor("ResNet164", "resnet164")
ResNet1001 = _constructor("ResNet1001", "resnet1001")
ResNet110V2 = _constructor("ResNet110V2", "resnet110_v2")
ResNet164V2 = _constructor("ResNet164V2", "resnet164_v2")
ResNet1001V2 = _constructor("ResNet1001V2", "resnet1001_v2")
