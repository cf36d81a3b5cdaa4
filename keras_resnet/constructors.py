"""`ResNet50(...)` and its siblings, made from `specs.VARIANTS`."""

from keras_resnet.models import build
from keras_resnet.networks import specs

_SIGNATURE = """{name}: {depth} weighted layers, {reference}.

    Args: as `keras_resnet.build`.

    Returns:
        `keras.Model` from RGB pixels 0..255, uint8 or float
        (B, {size}, {size}, 3), to float32 (B, {classes}) probabilities.
    """


def _constructor(name, variant):
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
    ):
        return build(
            variant,
            weights=weights,
            include_top=include_top,
            input_shape=input_shape,
            pooling=pooling,
            # The default is no wish: a file with other classes is refused.
            classes=None if classes == stem.classes else classes,
            classifier_activation=classifier_activation,
            name=name,
        )

    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = _SIGNATURE.format(
        name=name,
        depth=row.depth,
        reference=row.reference,
        size=size,
        classes=stem.classes,
    )
    return constructor


# ImageNet, 2015.
PlainNet18 = _constructor("PlainNet18", "plainnet18")
PlainNet34 = _constructor("PlainNet34", "plainnet34")
ResNet18 = _constructor("ResNet18", "resnet18")
ResNet34 = _constructor("ResNet34", "resnet34")
ResNet50 = _constructor("ResNet50", "resnet50")
ResNet101 = _constructor("ResNet101", "resnet101")
ResNet152 = _constructor("ResNet152", "resnet152")

# ImageNet, 2016.
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
