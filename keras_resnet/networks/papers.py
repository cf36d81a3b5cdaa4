"""What the papers print about their networks, as printed, by place. No code.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
Keys of the inner tables are keys of `specs.VARIANTS`.
"""

# Test error on CIFAR-10, %. P2: the median of 5 runs, "fail" is more than 20 %.
CIFAR_10 = {
    "P1 Table 6": {
        "resnet20": "8.75",
        "resnet32": "7.51",
        "resnet44": "7.17",
        "resnet56": "6.97",
        "resnet110": "6.43 best, 6.61 mean",
        "resnet1202": "7.93",
    },
    "P1 sec. 4.2": {"plainnet110": "> 60"},
    "P2 Table 3": {
        "resnet110_one_layer": "9.90",
        "resnet110_one_layer_v2": "8.91",
        "resnet110": "6.61",
        "resnet110_v2": "6.37",
        "resnet164": "5.93",
        "resnet164_v2": "5.46",
        "resnet1001": "7.61",
        "resnet1001_v2": "4.92",
    },
    "P2 Table 2": {
        "resnet110": "6.61",
        "resnet110_bn_after_add": "8.17",
        "resnet110_relu_before_add": "7.84",
        "resnet110_relu_preact": "6.71",
        "resnet110_v2": "6.37",
        "resnet164": "5.93",
        "resnet164_bn_after_add": "6.50",
        "resnet164_relu_before_add": "6.14",
        "resnet164_relu_preact": "5.91",
        "resnet164_v2": "5.46",
    },
    "P2 Table 1": {
        "resnet110": "6.61",
        "plainnet110": "fail",
        "resnet110_constant_scaling_branch_1": "fail",
        "resnet110_constant_scaling": "12.35",
        "resnet110_dropout": "fail",
        "resnet110_exclusive_gating_bias_0": "fail",
        "resnet110_exclusive_gating_bias_minus_5": "fail",
        "resnet110_exclusive_gating": "8.70",
        "resnet110_exclusive_gating_bias_minus_7": "9.81",
        "resnet110_shortcut_only_gating_bias_0": "12.86",
        "resnet110_shortcut_only_gating": "6.91",
        "resnet110_conv1x1": "12.22",
    },
}

# (top-1, top-5) error on ImageNet's validation images, %; "" where not printed.
TEN_CROPS = {
    "P1 Table 3": {
        "plainnet34": ("28.54", "10.02"),
        "resnet34_a": ("25.03", "7.76"),
        "resnet34": ("24.52", "7.46"),
        "resnet34_c": ("24.19", "7.40"),
        "resnet50": ("22.85", "6.71"),
        "resnet101": ("21.75", "6.05"),
        "resnet152": ("21.43", "5.71"),
    },
    "P1 Table 2": {
        "plainnet18": ("27.94", ""),
        "resnet18_a": ("27.88", ""),
        "plainnet34": ("28.54", ""),
        "resnet34_a": ("25.03", ""),
    },
}
MULTI_SCALE = {
    "P1 Table 4": {
        "resnet34": ("21.84", "5.71"),
        "resnet34_c": ("21.53", "5.60"),
        "resnet50": ("20.74", "5.25"),
        "resnet101": ("19.87", "4.60"),
        "resnet152": ("19.38", "4.49"),
    },
    # Of six models, on the test set.
    "P1 Table 5": {"ensemble": ("", "3.57")},
}
ONE_CROP = {
    "P2 sec. 4.1": {"resnet101": ("23.6", "7.1")},
    # The same with BN after the addition, which is not a variant of its own.
    "P2 sec. 4.1, BN after addition": {"resnet101": ("24.6", "7.5")},
    "P2 Table 5": {"resnet152": ("23.0", "6.7")},
}
ONE_CROP_OF_320 = {
    "P2 Table 5": {
        "resnet152": ("21.3", "5.5"),
        "resnet152_v2": ("21.1", "5.5"),
        "resnet200": ("21.8", "6.0"),
        "resnet200_v2": ("20.7", "5.3"),
    },
    "P2 Table 5, aspect augmentation": {"resnet200_v2": ("20.1", "4.8")},
}

# Trainable parameters, in millions.
PARAMETERS = {
    "P1 Table 6": {
        "resnet20": "0.27",
        "resnet32": "0.46",
        "resnet44": "0.66",
        "resnet56": "0.85",
        "resnet110": "1.7",
        "resnet1202": "19.4",
    },
    # Not in P2.
    "Zagoruyko and Komodakis 2016, arXiv 1605.07146, Table 5": {
        "resnet164_v2": "1.7",
        "resnet1001_v2": "10.2",
    },
}

# Multiply-adds of one image, in 1e9.
MULTIPLY_ADDS = {
    "P1 Table 1": {
        "resnet18": "1.8",
        "resnet34": "3.6",
        "resnet50": "3.8",
        "resnet101": "7.6",
        "resnet152": "11.3",
    },
    "P1 Fig. 3": {"plainnet34": "3.6", "resnet34": "3.6"},
}


def find(tables, variant, place=None):
    """The printed figure of a variant, and the first place that has it.

    Args:
        tables: one of the tables of this module.
        variant: key of `specs.VARIANTS`.
        place: key of `tables`. Default: the first that has the variant.

    Returns:
        (figure, place), or (None, None).
    """
    for name, figures in tables.items():
        if variant in figures and place in (None, name):
            return figures[variant], name
    return None, None
