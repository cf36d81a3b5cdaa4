"""Golden sizes of every network, from the papers, peers and closed formulas.

Nothing here imports keras_resnet or comes from its output: a golden that is
copied from the code proves nothing. The formulas are sums over the papers'
tables (P1 Table 1 and sec. 4.2, P2 Table 1 and sec. 3.1); where a peer's
published figure exists it is the golden and the formula is checked against it.

References: P1 is arXiv 1512.03385, P2 is arXiv 1603.05027.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Golden:
    """Sizes of one network with its published classifier."""

    trainable_parameters: int
    multiply_adds: int  # of one 224x224 or 32x32 image
    source: str


# name -> trainable parameters, from a source.
_TORCHVISION = "torchvision, *_Weights meta['num_params']"
_TIMM = "timm resnetv2_* layout (SPEC 2b)"
_TIMM_D = "timm 1.0, sum of the parameters of resnet*d"
_KERAS = "keras.io/api/applications, less the moving statistics"
_FB = "fb.resnet.torch layout, shortcut option (SPEC 2b)"
_CIFAR = "P1 Table 6: .27 .46 .66 .85 1.7 19.4 M; exact in SPEC 2b"
_1K = "resnet-1k-layers layout (SPEC 2b)"
PUBLISHED_PARAMETERS = {
    "resnet18": (11_689_512, _TORCHVISION),
    "resnet34": (21_797_672, _TORCHVISION),
    "resnet50": (25_557_032, _TORCHVISION),
    "resnet101": (44_549_160, _TORCHVISION),
    "resnet152": (60_192_808, _TORCHVISION),
    "resnet50_v1_5": (25_557_032, _TORCHVISION),
    "resnet101_v1_5": (44_549_160, _TORCHVISION),
    "resnet152_v1_5": (60_192_808, _TORCHVISION),
    "resnet200": (64_673_832, "SPEC 2b"),
    "resnet18_a": (11_515_688, _FB),
    "resnet34_a": (21_623_848, _FB),
    "plainnet34": (21_623_848, "SPEC 2b: option A has no weights"),
    "resnet18_c": (12_043_816, _FB),
    "resnet34_c": (22_716_840, _FB + "; 13 extra projections (P1 sec. 4.1)"),
    "resnet18_v2": (11_687_720, _TIMM),
    "resnet34_v2": (21_795_880, _TIMM),
    "resnet50_v2": (25_549_352, _TIMM),
    "resnet101_v2": (44_541_480, _TIMM),
    "resnet152_v2": (60_185_128, _TIMM),
    "resnet200_v2": (64_666_152, _TIMM),
    "resnet18_v2_timm": (11_687_720, _TIMM),
    "resnet34_v2_timm": (21_795_880, _TIMM),
    "resnet50_v2_timm": (25_549_352, _TIMM),
    "resnet101_v2_timm": (44_541_480, _TIMM),
    "resnet152_v2_timm": (60_185_128, _TIMM),
    "resnet50_v2_keras": (25_613_800 - 45_440, _KERAS),
    "resnet101_v2_keras": (44_675_560 - 97_664, _KERAS),
    "resnet152_v2_keras": (60_380_648 - 143_744, _KERAS),
    "resnet18_d": (11_708_744, _TIMM_D),
    "resnet34_d": (21_816_904, _TIMM_D),
    "resnet50_d": (25_576_264, _TIMM_D),
    "resnet101_d": (44_568_392, _TIMM_D),
    "resnet152_d": (60_212_040, _TIMM_D),
    "resnet200_d": (64_693_064, _TIMM_D),
    "wide_resnet50_2": (68_883_240, _TORCHVISION),
    "wide_resnet101_2": (126_886_696, _TORCHVISION),
    "resnext50_32x4d": (25_028_904, _TORCHVISION),
    "resnext101_32x8d": (88_791_336, _TORCHVISION),
    "resnext101_64x4d": (83_455_272, _TORCHVISION),
    "resnet20": (269_722, _CIFAR),
    "resnet32": (464_154, _CIFAR),
    "resnet44": (658_586, _CIFAR),
    "resnet56": (853_018, _CIFAR),
    "resnet110": (1_727_962, _CIFAR),
    "resnet1202": (19_421_274, _CIFAR),
    "resnet164_v2": (1_703_258, _1K),
    "resnet1001_v2": (10_327_706, _1K),
}

# torchvision, *_Weights meta["_ops"], in 1e9 multiply-adds to three decimals.
# torchvision's 50, 101 and 152 stride in the 3x3 convolution.
TORCHVISION_GIGAOPS = {
    "resnet18": 1.814,
    "resnet34": 3.664,
    "resnet50_v1_5": 4.089,
    "resnet101_v1_5": 7.801,
    "resnet152_v1_5": 11.514,
    "wide_resnet50_2": 11.398,
    "wide_resnet101_2": 22.753,
    "resnext50_32x4d": 4.23,
    "resnext101_32x8d": 16.414,
    "resnext101_64x4d": 15.46,
}

# Bottlenecks: (filters of the 3x3 over the stage's, its groups).
_WIDTH_AND_GROUPS = {
    "bottleneck": (1, 1),
    "wide": (2, 1),
    "32x4d": (2, 32),
    "32x8d": (4, 32),
    "64x4d": (4, 64),
}


def _branches(block, inputs, filters, units):
    """Weights of the residual branches of a stage, P1 Fig. 5.

    `inputs` channels reach the stage's first unit.
    """
    square = filters * filters
    if block == "basic":  # 3x3, 3x3
        return 9 * inputs * filters + (2 * units - 1) * 9 * square
    if block == "one_layer":  # 3x3
        return 9 * inputs * filters + (units - 1) * 9 * square
    # Bottleneck: 1x1, 3x3, 1x1 to four times the filters.
    width, groups = _WIDTH_AND_GROUPS[block]
    first_layers = width * (inputs * filters + (units - 1) * 4 * square)
    middle = 9 * width * width * square // groups
    return first_layers + units * (middle + 4 * width * square)


# Channels that a unit normalises, over the stage's filters: one BN for each
# convolution, wherever the placement puts it. Pre-activation moves the BN at
# the end of a unit before the next one, and the last before the classifier, so
# the sum over the network stays.
_NORMS = {
    "basic": 2,
    "one_layer": 1,
    **{name: 2 * width + 4 for name, (width, _) in _WIDTH_AND_GROUPS.items()},
}
_EXPANSION = {"basic": 1, "one_layer": 1, **dict.fromkeys(_WIDTH_AND_GROUPS, 4)}


def _shortcuts(option, inputs, outputs, units):
    """(projections, weights of their 1x1 convolutions) of a stage."""
    changes = inputs != outputs
    if option == "all":
        return units, inputs * outputs + (units - 1) * outputs * outputs
    if option == "changes" and changes:
        return 1, inputs * outputs
    return 0, 0


def _sizes(
    stem, stages, block, *, projections, projection_norm, gates, stride_in_3x3
):
    """(trainable parameters, multiply-adds) as sums over the stages.

    Args:
        stem: (kernel, filters, size of its output, classes).
        stages: (filters, units, size of the output) of each stage.
        projections: "none", "changes" (of shape, option B) or "all" (C).
        projection_norm: whether BN follows a projection: iff the branch ends
            in BN.
        gates: whether every unit has a 1x1 convolution with bias (P2 3.1).
        stride_in_3x3: whether the first 1x1 still works at the larger size.
    """
    kernel, channels, size, classes = stem
    weights = kernel * kernel * 3 * channels
    parameters, operations = weights + 2 * channels, weights * size * size
    for stage, (filters, units, size) in enumerate(stages):
        outputs = filters * _EXPANSION[block]
        weights = _branches(block, channels, filters, units)
        count, projected = _shortcuts(projections, channels, outputs, units)
        weights += projected
        parameters += 2 * _NORMS[block] * filters * units
        parameters += 2 * outputs * count * projection_norm
        if gates:
            weights += _shortcuts("all", channels, outputs, units)[1]
            parameters += outputs * units
        parameters += weights
        operations += weights * size * size
        if stride_in_3x3 and stage > 0:  # 4 times the positions, not 1
            width, _ = _WIDTH_AND_GROUPS[block]
            operations += 3 * channels * filters * width * size * size
        channels = outputs
    classifier = channels * classes
    return parameters + classifier + classes, operations + classifier


def _imagenet(
    block,
    units,
    *,
    projections="changes",
    projection_norm=True,
    stride_in_3x3=False,
):
    """P1 Table 1."""
    return _sizes(
        (7, 64, 112, 1000),
        zip((64, 128, 256, 512), units, (56, 28, 14, 7), strict=True),
        block,
        projections=projections,
        projection_norm=projection_norm,
        gates=False,
        stride_in_3x3=stride_in_3x3,
    )


def _deep_stem(parameters, operations):
    """Three 3x3 of 32, 32 and 64 filters in place of one 7x7 (ResNet-D)."""
    weights = 9 * (3 * 32 + 32 * 32 + 32 * 64) - 7 * 7 * 3 * 64
    norms = 2 * (32 + 32)
    return parameters + weights + norms, operations + weights * 112 * 112


def _keras_v2(units):
    """keras.applications, resnet.py: the paper's net with other strides.

    A stage's last 3x3 and 1x1 work at the next one's size. Stem, projections
    and the last layer of a branch have biases.
    """
    parameters, operations = _imagenet(
        "bottleneck", units, projection_norm=False
    )
    for filters, count in zip((64, 128, 256, 512), units, strict=True):
        parameters += 4 * filters * (count + 1)
    for filters, size in ((64, 56), (128, 28), (256, 14)):
        saved = size**2 - (size // 2) ** 2
        operations -= (9 + 4) * filters * filters * saved
    return parameters + 64, operations


def _cifar(units, block="basic", *, projections="none", norm=True, gates=False):
    """P1 sec. 4.2: `units` units in each of three stages."""
    return _sizes(
        (3, 16, 32, 10),
        zip((16, 32, 64), (units, units, units), (32, 16, 8), strict=True),
        block,
        projections=projections,
        projection_norm=norm,
        gates=gates,
        stride_in_3x3=False,
    )


_BOTTLENECK_UNITS = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
_BASIC_UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def _imagenet_formulas():
    rows = {}
    for depth, units in _BASIC_UNITS.items():
        rows[f"plainnet{depth}"] = _imagenet("basic", units, projections="none")
        rows[f"resnet{depth}"] = _imagenet("basic", units)
        rows[f"resnet{depth}_a"] = rows[f"plainnet{depth}"]
        rows[f"resnet{depth}_c"] = _imagenet("basic", units, projections="all")
        # timm moves the first BN from the stem into the first unit.
        rows[f"resnet{depth}_v2"] = rows[f"resnet{depth}_v2_timm"] = _imagenet(
            "basic", units, projection_norm=False
        )
        rows[f"resnet{depth}_d"] = _deep_stem(*rows[f"resnet{depth}"])
    for depth, units in _BOTTLENECK_UNITS.items():
        rows[f"resnet{depth}_d"] = _deep_stem(
            *_imagenet("bottleneck", units, stride_in_3x3=True)
        )
        rows[f"resnet{depth}"] = _imagenet("bottleneck", units)
        rows[f"resnet{depth}_v2"] = _imagenet(
            "bottleneck", units, projection_norm=False
        )
        if depth != 200:
            rows[f"resnet{depth}_v1_5"] = _imagenet(
                "bottleneck", units, stride_in_3x3=True
            )
            rows[f"resnet{depth}_v2_timm"] = _imagenet(
                "bottleneck", units, projection_norm=False, stride_in_3x3=True
            )
            rows[f"resnet{depth}_v2_keras"] = _keras_v2(units)
    for name, block, depth in (
        ("wide_resnet50_2", "wide", 50),
        ("wide_resnet101_2", "wide", 101),
        ("resnext50_32x4d", "32x4d", 50),
        ("resnext101_32x8d", "32x8d", 101),
        ("resnext101_64x4d", "64x4d", 101),
    ):
        rows[name] = _imagenet(
            block, _BOTTLENECK_UNITS[depth], stride_in_3x3=True
        )
    return rows


def _cifar_formulas():
    # 6n + 2 layers. Plain and option A have the same weights.
    rows = {}
    for n in (3, 5, 7, 9, 18):
        rows[f"plainnet{6 * n + 2}"] = _cifar(n)
    for n in (3, 5, 7, 9, 18, 200):
        rows[f"resnet{6 * n + 2}"] = _cifar(n)
    for n in (18, 111):  # 9n + 2 layers, option B
        bottleneck = (n, "bottleneck")
        rows[f"resnet{9 * n + 2}"] = _cifar(*bottleneck, projections="changes")
        rows[f"resnet{9 * n + 2}_v2"] = _cifar(
            *bottleneck, projections="changes", norm=False
        )
    one_layer = _cifar(36, "one_layer")  # 3n + 2 layers
    rows["resnet110_one_layer"] = rows["resnet110_one_layer_v2"] = one_layer
    return rows


def _ablation_formulas():
    plain = _cifar(18)
    gated = _cifar(18, gates=True)
    normed, bare = (
        _cifar(18, "bottleneck", projections="changes", norm=norm)
        for norm in (True, False)
    )
    return {
        # P2 Table 2. Option A has no weights to normalise ...
        "resnet110_bn_after_add": plain,
        "resnet110_relu_before_add": plain,
        "resnet110_relu_preact": plain,
        "resnet110_v2": plain,
        # ... and a bottleneck's projections are normalised with the branch.
        "resnet164_bn_after_add": bare,
        "resnet164_relu_before_add": normed,
        "resnet164_relu_preact": normed,
        # P2 Table 1.
        "resnet110_constant_scaling": plain,
        "resnet110_constant_scaling_branch_1": plain,
        "resnet110_exclusive_gating": gated,
        "resnet110_exclusive_gating_bias_0": gated,
        "resnet110_exclusive_gating_bias_minus_5": gated,
        "resnet110_exclusive_gating_bias_minus_7": gated,
        "resnet110_shortcut_only_gating": gated,
        "resnet110_shortcut_only_gating_bias_0": gated,
        "resnet110_conv1x1": _cifar(18, projections="all"),
        "resnet110_dropout": plain,
    }


# name -> (trainable parameters, multiply-adds).
FORMULAS = {
    **_imagenet_formulas(),
    **_cifar_formulas(),
    **_ablation_formulas(),
}


def _golden(name, parameters, operations):
    published, source = PUBLISHED_PARAMETERS.get(
        name, (parameters, "formula from P1 Table 1, sec. 4.2; P2 sec. 3")
    )
    return Golden(published, operations, source)


GOLDENS = {name: _golden(name, *sizes) for name, sizes in FORMULAS.items()}
